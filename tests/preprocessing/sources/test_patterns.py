"""One expansion of patterns for every option: as a shell's, and with an end whatever links there are."""

import glob
import os
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.input_files import find_input_files
from preprocessing.sources.patterns import expand, files_below

TREE = ("a.txt", "b/c.txt", "b/d/e.txt", "b/.hidden.txt", ".h/f.txt", "[x].txt", "b/d/g.xml", "z/a1.txt", "z/a2.txt")
PATTERNS = (
    "*.txt",
    "**/*.txt",
    "**",
    "**/d/*",
    "*/*",
    "b/**/*.txt",
    "z/a[1].txt",
    "z/a?.txt",
    ".h/*.txt",
    "**/.h*",
    "*/d/**",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        path = tmp_path / "t" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "t"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_files_as_the_standard_library_finds(tree: Path, pattern: str) -> None:
    wanted = {path for path in glob.glob(str(tree / pattern), recursive=True) if os.path.isfile(path)}
    if wanted:
        found = expand("--books", str(tree / pattern))
        assert {path for path, _ in found} == wanted
        assert [name for _, name in found] == sorted(name for _, name in found)
    else:
        with pytest.raises(PreprocessingError, match="matches no file"):
            expand("--books", str(tree / pattern))


def test_names_and_working_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert [name for _, name in expand("--books", "b/**/*.txt")] == ["c.txt", "d/e.txt"]
    assert expand("--books", "*.txt")[0] == ("./[x].txt", "[x].txt")
    assert expand("--books", "[x].txt") == [("[x].txt", "[x].txt")]
    assert [name for _, name in files_below("b")] == ["c.txt", "d/e.txt", "d/g.xml"]


def test_links_to_folders_have_an_end_and_no_folder_counts_twice(tree: Path) -> None:
    """Two links to where they stand made a walk without an end, one link every file 41 times."""
    for name, target in (
        ("self", "."),
        ("again", "."),
        ("b/up", ".."),
        ("b/d/root", str(tree)),
        ("dangling", "nowhere"),
    ):
        (tree / name).symlink_to(target)
    names = [name for _, name in expand("--books", str(tree / "**" / "*.txt"))]
    assert names == ["[x].txt", "a.txt", "b/c.txt", "b/d/e.txt", "z/a1.txt", "z/a2.txt"]
    assert [file.name for file in find_input_files("books", [str(tree)])] == names


def test_a_link_to_a_folder_elsewhere_is_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.txt").touch()
    (tree / "more").symlink_to(tmp_path / "elsewhere")
    assert "more/x.txt" in [name for _, name in expand("--books", str(tree / "**" / "*.txt"))]


@pytest.mark.parametrize("address", ["abfss://b/x.txt", "ssh://b/*.txt", "https://x/y.txt", "s3:/b/x", "file:///x"])
def test_addresses_are_no_local_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.chdir(tmp_path)
    for find in (lambda: expand("--books", address), lambda: find_input_files("books", [address])):
        with pytest.raises(PreprocessingError, match="of remote addresses only gs://, s3://, hdfs:// are read"):
            find()


def test_special_files_are_named_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.txt")
    with pytest.raises(PreprocessingError, match=r"x\.txt is a pipe, not a file; leave it out"):
        find_input_files("books", [str(tmp_path)])
    assert [(f.name, f.size) for f in find_input_files("books", [str(tmp_path)], skip_bad_files=True)] == [("x.txt", 0)]


def test_all_bad_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("text")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "gone.txt").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(PreprocessingError) as caught:
        find_input_files("books", [str(tmp_path / "*.txt")])
    first, *lines = str(caught.value).splitlines()
    assert first == "3 faults:"
    for line, (name, reason) in zip(
        lines, [("empty", "empty"), ("gone", "cannot be read"), ("pipe", "pipe")], strict=True
    ):
        assert f"{name}.txt" in line
        assert reason in line
