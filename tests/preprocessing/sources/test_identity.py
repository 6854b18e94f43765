"""An input that changed is another input, wherever the change is; what was found may be kept."""

import bz2
import json
import os
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources import identity
from preprocessing.sources.identity import KnownInputs, content_hash, write_known
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits

ROWS = [{"text": f"This is row number {number:06d}, and it is long enough."} for number in range(6000)]


def write_inputs(folder: Path) -> dict[str, InputOptions]:
    """One input of every source, each far longer than 128 KiB."""
    folder.mkdir(exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "rows.jsonl").write_text(lines)
    (folder / "sentences.txt").write_text("\n\n".join(row["text"] for row in ROWS))
    (folder / "book.txt").write_text("\n\n".join(row["text"] for row in ROWS))
    pages = "".join(f"<page><id>{number}</id>{row['text']}</page>\n" for number, row in enumerate(ROWS))
    (folder / "dump.xml").write_text(f"<mediawiki>\n{pages}</mediawiki>\n")
    (folder / "dump.xml.bz2").write_bytes(bz2.compress(pages.encode()) + bz2.compress(pages.encode()))
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "rows.parquet", row_group_size=500, compression="none")
    datasets.Dataset.from_list(ROWS).save_to_disk(folder / "saved")
    return {
        "jsonlines": InputOptions(jsonlines=(str(folder / "rows.jsonl"),)),
        "sentences": InputOptions(sentences=(str(folder / "sentences.txt"),)),
        "books": InputOptions(books=(str(folder / "book.txt"),)),
        "dump": InputOptions(wikipedia=(str(folder / "dump.xml"),)),
        "bz2": InputOptions(wikipedia=(str(folder / "dump.xml.bz2"),)),
        "parquet": InputOptions(parquet=(str(folder / "rows.parquet"),)),
        "dataset": InputOptions(dataset=(str(folder / "rows.jsonl"),)),
        "dataset on disk": InputOptions(dataset=(str(folder / "saved"),)),
    }


NAMES = {
    "jsonlines": "rows.jsonl",
    "sentences": "sentences.txt",
    "books": "book.txt",
    "dump": "dump.xml",
    "bz2": "dump.xml.bz2",
    "parquet": "rows.parquet",
    "dataset": "rows.jsonl",
    "dataset on disk": "saved/data-00000-of-00001.arrow",
}


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("place", [0.35, 0.65])
def test_an_edit_of_equal_length_in_the_middle_is_seen(tmp_path: Path, source: str, place: float) -> None:
    """A hash of the ends, size and time saw nothing of it."""
    inputs = write_inputs(tmp_path / "in")[source]
    before = [split.key for split in plan_splits(inputs, 1 << 16)]
    path = tmp_path / "in" / NAMES[source]
    times = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    middle = int(len(content) * place)
    content[middle] = content[middle] ^ 1 or 2
    path.write_bytes(content)
    os.utime(path, ns=(times, times))
    after = [split.key for split in plan_splits(inputs, 1 << 16)]
    assert len(before) == len(after)
    assert before != after
    if source in ("jsonlines", "sentences", "dump"):
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1, "the other ranges hold what they held"


def test_a_data_set_that_grew_is_another(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[:50]))
    for name in (path, tmp_path):
        inputs = InputOptions(dataset=(str(name),))
        before = {split.key for split in plan_splits(inputs)}
        with path.open("a") as file:
            file.write(json.dumps(ROWS[0]) + "\n")
        assert not before & {split.key for split in plan_splits(inputs)}


@pytest.mark.parametrize("source", ["jsonlines", "sentences", "books", "dump", "bz2", "parquet"])
def test_what_was_found_is_trusted_only_where_size_and_time_agree(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write_inputs(tmp_path / "in")[source]
    splits = plan_splits(inputs, 1 << 16)
    write_known(tmp_path / "inputs.feather", splits, 1 << 16)
    known = KnownInputs.read(tmp_path / "inputs.feather", 1 << 16)
    path = tmp_path / "in" / NAMES[source]
    with monkeypatch.context() as patch:
        patch.setattr(identity, "content_hash", lambda *_: pytest.fail("it was read"))
        assert plan_splits(inputs, 1 << 16, known) == splits
    assert KnownInputs.read(tmp_path / "inputs.feather", 1 << 15).files == {}
    os.utime(path, ns=(5, 5))
    assert [replace(split, modified=5) for split in plan_splits(inputs, 1 << 16, known)[0].pieces()] == [
        replace(split, modified=5) for split in splits[0].pieces()
    ]
    path.write_bytes(path.read_bytes() + b"\n\n")
    os.utime(path, ns=(splits[0].modified, splits[0].modified))
    if source != "parquet":  # which ends in its own mark
        assert [s.key for s in plan_splits(inputs, 1 << 16, known)] != [s.key for s in splits]


@pytest.mark.parametrize("content", [b"", b"not an arrow file", None])
def test_a_record_that_cannot_be_read_is_no_record(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "inputs.feather"
    if content is not None:
        path.write_bytes(content)
    assert KnownInputs.read(path, 10).files == {}


def test_ranges_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 100)
    assert content_hash(path) == content_hash(path, 0, 25600)
    assert content_hash(path, 256, 512) == content_hash(path, 0, 256) != content_hash(path, 0, 255)
    with pytest.raises(OSError, match="it ends at byte 25,600, while it is read"):
        content_hash(path, 0, 25601)


def test_a_file_that_fails_while_it_is_hashed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = write_inputs(tmp_path / "in")["books"]

    def failing(*_: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(identity, "content_hash", failing)
    with pytest.raises(PreprocessingError, match=r"--books .*book\.txt cannot be read \(Input/output error\)"):
        plan_splits(inputs)


def test_buckets_follow_from_bytes_whatever_the_source(tmp_path: Path) -> None:
    """Six files of a data set made 48 buckets, the same as JSON lines one."""
    for number in range(6):
        (tmp_path / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:500]))
    by_files = plan_splits(InputOptions(jsonlines=(str(tmp_path / "*.jsonl"),)))
    as_set = plan_splits(InputOptions(dataset=(str(tmp_path),)))
    assert sum(split.size for split in as_set) == sum(split.size for split in by_files)
