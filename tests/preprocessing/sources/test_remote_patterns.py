"""A pattern of remote names finds the files, by the names, that it would find on a disk."""

import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.errors import PreprocessingError
from preprocessing.sources import remote_patterns
from preprocessing.sources.input_files import find_input_files
from preprocessing.sources.patterns import expand, files_below

NAME = st.sampled_from(["a", "b", ".a", "a.txt", "b.txt", ".b.txt", "ab", "c[1]"])
PART = st.sampled_from(["*", "**", "?", "a*", "*.txt", ".*", "[ab]", "[!a]*", "a", "b", "??", "**.txt"])
FILES = st.sets(st.lists(NAME, min_size=1, max_size=4).map("/".join), min_size=1, max_size=12)


@given(FILES, st.lists(PART, min_size=1, max_size=4))
def test_matches_as_on_a_disk(files: set[str], parts: list[str]) -> None:
    # A name is a file or a folder, not both.
    files = {file for file in files if not any(other.startswith(f"{file}/") for other in files)}
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / file).touch()
        try:
            local = {path for path, _ in expand("--books", str(Path(folder, *parts)))}
        except PreprocessingError:
            local = set()
        if not set("".join(parts)) & set("*?["):
            return  # no pattern
        found = {file for file in files if remote_patterns.matches(file.split("/"), parts)}
        assert {str(Path(folder) / file) for file in found} == local


@pytest.fixture
def both(bucket, tmp_path: Path) -> tuple[str, str]:
    """The same files on a disk and in a bucket: the folder of each."""
    for name in ("b/x.txt", "b/d/e.txt", "b/d/.hidden.txt", "b/z.epub", "b/notes.md", "top.txt", "b/[1].txt"):
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).write_text("some text")
    bucket.put_folder(tmp_path / "t", "t")
    return str(tmp_path / "t"), bucket.address("t")


@pytest.mark.parametrize("pattern", ["b/**/*.txt", "*.txt", "*/*", "**", "b/x.txt", "b/[1].txt", "b/[!x]*.txt", "t*"])
def test_the_same_files_by_the_same_names(both: tuple[str, str], pattern: str) -> None:
    local, remote = (expand("--books", f"{folder}/{pattern}") for folder in both)
    assert local
    assert [name for _, name in remote] == [name for _, name in local]
    assert [path for path, _ in remote] == [path.replace(both[0], both[1]) for path, _ in local]


def test_folders_of_books(both: tuple[str, str]) -> None:
    local, remote = (find_input_files("books", [folder]) for folder in both)
    assert [(file.name, file.size) for file in remote] == [(file.name, file.size) for file in local]
    assert [name for _, name in files_below(both[1])] == [name for _, name in files_below(both[0])]
    assert all(file.modified for file in remote)


def test_the_head_of_a_pattern_is_all_that_is_listed(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("dumps/en-1.bz2", b"x")
    asked = []
    whole = remote_patterns.RemotePath.files
    monkeypatch.setattr(
        remote_patterns.RemotePath, "files", lambda path, head="": asked.append((str(path), head)) or whole(path, head)
    )
    assert [name for _, name in expand("--wikipedia", bucket.address("dumps/en-*.bz2"))] == ["en-1.bz2"]
    assert asked == [(bucket.address("dumps"), "en-")]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("{folder}/none.txt", "--books {folder}/none.txt: there is no such file."),
        ("{folder}/none/*.txt", "--books '{folder}/none/*.txt' matches no file; check the path and the quotes"),
        (
            "s3://no-such-bucket/*.txt",
            "--books s3://no-such-bucket/*.txt cannot be read (there is no such bucket;",
        ),
        ("s3://bucket-*/x.txt", "--books s3://bucket-*/x.txt: a bucket is named, not matched; write its whole name."),
        ("{folder}/b/d/none", "--books {folder}/b/d/none: there is no such file."),
    ],
)
def test_one_sentence_for_what_is_not_there(both: tuple[str, str], pattern: str, sentence: str) -> None:
    with pytest.raises(PreprocessingError) as caught:
        find_input_files("books", [pattern.format(folder=both[1])])
    assert str(caught.value).startswith(sentence.format(folder=both[1]))
    assert str(caught.value).count("\n") == 0


def test_a_folder_where_a_file_is_wanted_and_an_empty_file(both: tuple[str, str], bucket) -> None:
    with pytest.raises(PreprocessingError, match=r"--jsonlines s3://.*/t/b is a folder; give a file or a quoted"):
        find_input_files("jsonlines", [f"{both[1]}/b"])
    with pytest.raises(PreprocessingError, match="is an empty file; fetch it again"):
        find_input_files("books", [bucket.put("empty.txt", b"")])


def test_letters_are_not_folded() -> None:
    assert not remote_patterns.matches(["A.TXT"], ["*.txt"])
    assert remote_patterns.matches([string.ascii_letters], ["[a-z]*"])
