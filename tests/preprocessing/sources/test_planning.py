import bz2
import errno
import gzip
import itertools
import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.input_files import find_input_files
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.sources.threads import BLOCK_BYTES
from preprocessing.storage import open_file
from preprocessing.tally import Tally

SENTENCE = "This is sentence number {} of the document, long enough to be kept."


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def google_layout(documents: int, sentences: int = 7, newline: str = "\n") -> str:
    return (2 * newline).join(
        newline.join(SENTENCE.format(f"{d}-{s}") for s in range(sentences)) for d in range(documents)
    )


def read_all(splits: list[Split]) -> list[tuple[str, str, tuple[str, ...]]]:
    found = []
    for split in splits:
        tally = Tally()
        found += [(d.file, d.locator, d.sentences) for d in read_documents(split, DocumentOptions(), tally)]
        assert tally.unaccounted == 0
    return found


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("split_bytes", [100, 500, 1000, 5000, 1 << 20])
def test_sentence_files_are_cut_between_documents(tmp_path: Path, split_bytes: int, newline: str) -> None:
    path = write(tmp_path / "corpus.txt", google_layout(40, newline=newline))
    splits = plan_splits(InputOptions(sentences=(str(path),)), split_bytes)
    assert splits[0].start == 0
    assert splits[-1].end == path.stat().st_size
    assert all(left.end == right.start for left, right in itertools.pairwise(splits))
    if split_bytes <= 1000:
        assert len(splits) > 5
    whole = read_all(plan_splits(InputOptions(sentences=(str(path),))))
    assert len(whole) == 40
    assert read_all(splits) == whole


@pytest.mark.parametrize("split_bytes", [64, 300, 1 << 20])
def test_json_lines_are_cut_between_rows(tmp_path: Path, split_bytes: int) -> None:
    rows = "".join(json.dumps({"text": SENTENCE.format(i) * (i % 5 + 1)}) + "\n" for i in range(50))
    path = write(tmp_path / "rows.jsonl", rows)
    splits = plan_splits(InputOptions(jsonlines=(str(path),)), split_bytes)
    assert (len(splits) > 10) == (split_bytes < 1000)
    whole = read_all(plan_splits(InputOptions(jsonlines=(str(path),))))
    assert [int(locator.removeprefix("byte=")) for _, locator, _ in whole] == [
        rows.index(json.dumps({"text": SENTENCE.format(i) * (i % 5 + 1)})) for i in range(50)
    ]
    assert read_all(splits) == whole


def test_a_boundary_across_search_blocks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.sources.planning._SEARCH_BLOCK_BYTES", 5)
    path = write(tmp_path / "corpus.txt", google_layout(10))
    splits = plan_splits(InputOptions(sentences=(str(path),)), 200)
    assert len(splits) > 3
    assert len(read_all(splits)) == 10


@pytest.mark.parametrize("source", ["wikipedia", "jsonlines"])
def test_planning_holds_little_of_a_file_at_a_time(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread frees in large blocks stays in the process for good."""
    given: list[int] = []

    class Watched:
        def __init__(self, stream: BinaryIO) -> None:
            self._stream = stream

        def read(self, size: int) -> bytes:
            block = self._stream.read(size)
            given.append(len(block))
            return block

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

        def __enter__(self) -> "Watched":
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

    for place in ("identity", "planning", "wikipedia.split_points"):
        monkeypatch.setattr(
            f"preprocessing.sources.{place}.open_file", lambda *where, **how: Watched(open_file(*where, **how))
        )
    noise = random.Random(1).randbytes(900_000)
    stream = bz2.compress(noise)
    path = write(tmp_path / "input", 2 * stream if source == "wikipedia" else noise.replace(b"\n", b"") + b"\nlast")
    splits = plan_splits(InputOptions(**{source: (str(path),)}), 500_000)
    cut = len(stream) if source == "wikipedia" else path.stat().st_size - 4
    assert [(split.start, split.end) for split in splits] == [(0, cut), (cut, path.stat().st_size)]
    assert sum(given) > path.stat().st_size + cut - 500_000, "all is hashed, and the way to the cut looked through"
    assert max(given) <= 1.5 * BLOCK_BYTES <= 1 << 18


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_what_cannot_be_cut_is_one_split(tmp_path: Path, compress: object) -> None:
    path = write(tmp_path / "corpus.txt.z", compress(google_layout(40).encode()))  # type: ignore[operator]
    splits = plan_splits(InputOptions(sentences=(str(path),)), 100)
    assert len(splits) == 1
    assert len(read_all(splits)) == 40


def test_bz2_streams_are_cut_points_of_a_dump(tmp_path: Path) -> None:
    head = "<mediawiki><siteinfo><namespaces></namespaces></siteinfo>\n"
    page = (
        "<page><title>T{0}</title><ns>0</ns><id>{0}</id><revision><id>1</id><model>wikitext</model>"
        "<text>{1}</text></revision></page>\n"
    )
    bodies = [head, *(page.format(i, SENTENCE.format(i) * 3) for i in range(1, 30)), "</mediawiki>"]
    path = write(tmp_path / "wiki.xml.bz2", b"".join(bz2.compress(body.encode()) for body in bodies))
    splits = plan_splits(InputOptions(wikipedia=(str(path),)), 1000)
    assert len(splits) > 3
    assert [locator for _, locator, _ in read_all(splits)] == [str(i) for i in range(1, 30)]


def test_small_files_share_a_split(tmp_path: Path) -> None:
    for index in range(10):
        write(tmp_path / f"{index}.txt", google_layout(1))
    size = (tmp_path / "0.txt").stat().st_size
    splits = plan_splits(InputOptions(sentences=(str(tmp_path / "*.txt"),)), 3 * size)
    assert [len(split.pieces()) for split in splits] == [3, 3, 3, 1]
    assert [file for file, *_ in read_all(splits)] == [f"{index}.txt" for index in range(10)]


def test_keys_depend_on_names_ranges_and_contents_only(tmp_path: Path) -> None:
    texts = {"a/x.txt": google_layout(3), "b/x.txt": google_layout(5)}
    folders = [tmp_path / "here", tmp_path / "else" / "where"]
    plans = []
    for folder in folders:
        for name, text in texts.items():
            write(folder / name, text)
        os.utime(folder / "a/x.txt", (1, 1))
        plans.append(plan_splits(InputOptions(sentences=(str(folder / "**" / "*.txt"),)), 500))
    assert [split.key for split in plans[0]] == [split.key for split in plans[1]]
    assert len({split.key for split in plans[0]}) == len(plans[0]) > 2
    assert read_all(plans[0]) == read_all(plans[1])
    write(folders[1] / "a/x.txt", google_layout(3).replace("number 0-0", "numbre 0-0"))
    changed = plan_splits(InputOptions(sentences=(str(folders[1] / "**" / "*.txt"),)), 500)
    assert changed[0].key != plans[1][0].key


def test_splits_travel_as_json(tmp_path: Path) -> None:
    write(tmp_path / "1.txt", google_layout(1))
    write(tmp_path / "2.txt", google_layout(1))
    (split,) = plan_splits(InputOptions(sentences=(str(tmp_path / "*.txt"),)))
    assert Split.from_json(json.loads(json.dumps(split.to_json()))) == split
    assert split.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert replace(split, path="/elsewhere").key == split.key


def test_names_are_relative_to_the_fixed_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("d/x.txt", "d/deep/er/y.txt", "d/deep/z.TXT", "d/notes.pdf", "d/[odd] name.txt"):
        write(tmp_path / name, "text")
    monkeypatch.chdir(tmp_path)

    def names(source: str, *patterns: str) -> list[str]:
        return [file.name for file in find_input_files(source, patterns)]

    assert names("sentences", "d/**/*.txt") == ["[odd] name.txt", "deep/er/y.txt", "x.txt"]
    assert names("sentences", str(tmp_path / "d" / "**" / "*.txt")) == names("sentences", "d/**/*.txt")
    assert names("sentences", "*/x.txt") == ["d/x.txt"]
    assert names("sentences", "d/x.txt", "d/[odd] name.txt") == ["[odd] name.txt", "x.txt"]
    assert names("books", "d") == ["[odd] name.txt", "deep/er/y.txt", "deep/z.TXT", "x.txt"]
    assert names("sentences", "d/x.txt", "d/*.txt") == ["[odd] name.txt", "x.txt"]


@pytest.mark.parametrize(
    ("source", "pattern", "message"),
    [
        ("sentences", "none/*.txt", "'none/*.txt' matches no file; check"),
        ("wikipedia", "none.xml", "none.xml: there is no such file."),
        ("wikipedia", "folder", "folder is a folder; give a file or a quoted pattern such as 'folder/*'"),
        ("jsonlines", "folder", "folder is a folder"),
        ("books", "folder", "the folder holds no file ending in .txt, .epub"),
        ("sentences", "empty.txt", "empty.txt is an empty file; fetch it again"),
        ("parquet", "abfss://bucket/x.parquet", "of remote addresses only gs://, s3://, hdfs:// are read and written"),
        ("sentences", "dangling.txt", "dangling.txt cannot be read (No such file or directory)"),
    ],
)
def test_bad_inputs_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, pattern: str, message: str
) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "empty.txt", "")
    (tmp_path / "dangling.txt").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PreprocessingError) as caught:
        plan_splits(InputOptions(**{source: (pattern,)}))
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_no_permission_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "secret.txt", "text")
    real_open = open

    def refusing_open(file: object, *arguments: object, **options: object) -> object:
        if str(file) == str(path):  # the tests may run as root, whom no mode stops
            raise PermissionError(13, "Permission denied")
        return real_open(file, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", refusing_open)
    with pytest.raises(PreprocessingError, match=r"secret\.txt cannot be read \(Permission denied\); mend that"):
        plan_splits(InputOptions(books=(str(path),)))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "x.txt", "text"), write(tmp_path / "b" / "x.txt", "text")
    with pytest.raises(PreprocessingError, match=r"would both be called 'x\.txt'"):
        plan_splits(InputOptions(sentences=(str(one), str(two))))
    assert len(plan_splits(InputOptions(sentences=(str(one),), books=(str(two),)))) == 2


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(PreprocessingError, match="There is no input; give at least one of"):
        plan_splits(InputOptions())


def test_bad_files_are_skipped_and_counted_when_asked(tmp_path: Path) -> None:
    write(tmp_path / "1-empty.txt", "")
    write(tmp_path / "2-good.txt", google_layout(2))
    write(tmp_path / "3-nul.txt", "text\0text")
    splits = plan_splits(InputOptions(sentences=(str(tmp_path / "*.txt"),), skip_bad_files=True))
    tally = Tally()
    documents = [d for s in splits for d in read_documents(s, DocumentOptions(skip_bad_files=True), tally)]
    assert [document.file for document in documents] == ["2-good.txt"] * 2
    assert tally.counters["dropped.bad_file"] == 2
    assert [rejection.locator for rejection in tally.rejections] == ["1-empty.txt", "3-nul.txt"]
    assert tally.unaccounted == 0
    for index, message in ((0, "1-empty.txt is an empty file"), (2, "NUL byte at offset 4")):
        with pytest.raises(PreprocessingError, match=message):
            list(read_documents(splits[0].pieces()[index], DocumentOptions(), Tally()))


@pytest.mark.parametrize("place", ["input_files.status", "planning.detect_compression", "identity.content_hash"])
def test_trouble_that_may_pass_makes_no_bad_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """With --skip-bad-files a good file would be left out, and nobody would hear of it."""

    def fail(*_: object) -> None:
        raise OSError(errno.ESTALE, "stale")

    write(tmp_path / "a.jsonl", '{"text": "something"}\n')
    monkeypatch.setattr(f"preprocessing.sources.{place}", fail)
    with pytest.raises(TransientError, match=r"a\.jsonl cannot be read"):
        plan_splits(InputOptions(jsonlines=(str(tmp_path / "a.jsonl"),), skip_bad_files=True))


def test_a_file_that_was_bad_and_is_good_now_is_not_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "")
    (split,) = plan_splits(InputOptions(jsonlines=(str(path),), skip_bad_files=True))
    write(path, '{"text": "something"}\n')
    tally = Tally()
    assert list(read_documents(split, DocumentOptions(skip_bad_files=True), tally)) == []
    assert tally.dropped == {"bad_file": 1}
    with pytest.raises(PreprocessingError, match="could not be used when the build was planned, and can now"):
        list(read_documents(split, DocumentOptions(), Tally()))


@pytest.mark.parametrize("size", [0, -1])
def test_splits_are_not_empty(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "something"}\n')
    with pytest.raises(PreprocessingError, match=f"--split-bytes {size}: must be at least 1"):
        plan_splits(InputOptions(jsonlines=(str(path),)), size)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.txt")), "text")
    with pytest.raises(PreprocessingError, match="the file's name is not UTF-8; rename it") as refused:
        plan_splits(InputOptions(books=(str(tmp_path / "*.txt"),)))
    str(refused.value).encode()
