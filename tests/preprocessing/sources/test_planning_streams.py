"""Compressed streams in the plan of a build: what is cut, what stays, and what the user is told."""

import bz2
import gzip
import itertools
import json
import lzma
import os
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.progress import Progress
from preprocessing.sources import planning
from preprocessing.sources.identity import KnownInputs, write_known
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally


def rows(count: int) -> bytes:
    source = random.Random(count)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def sentence() -> str:
        return " ".join("".join(source.choices(letters, k=source.randint(1, 9))) for _ in range(40)) + "."

    return b"".join(json.dumps({"text": f"{sentence()} {sentence()}"}).encode() + b"\n" for _ in range(count))


def plan(path: Path, split_bytes: int, known: KnownInputs | None = None) -> list[Split]:
    return plan_splits(InputOptions(jsonlines=(str(path),)), split_bytes, known)


@pytest.mark.parametrize("compress", [lambda text: bz2.compress(text, 1), gzip.compress])
def test_one_stream_is_many_splits(
    tmp_path: Path, compress: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl.z"
    path.write_bytes(compress(rows(1500)))
    splits = plan(path, 50_000)
    assert len(splits) >= 3
    assert sum(split.size for split in splits) == path.stat().st_size
    whole = plan(path, 1 << 40)

    def documents(found: list[Split]) -> list[object]:
        return [document for split in found for document in read_documents(split, DocumentOptions(), Tally())]

    assert documents(splits) == documents(whole)
    assert capsys.readouterr().err == ""


def test_a_small_file_keeps_its_key(tmp_path: Path) -> None:
    """The key of a file in one split is what it was before streams were cut."""
    whole = Split("jsonlines", "somewhere", "rows.jsonl.gz", 0, 1234, "gzip", "00ff")
    assert whole.key == "63234934ab25b3bd49851a28eb28aacc"
    assert replace(whole, seek="anything").key == whole.key
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(rows(300)))
    (split,) = plan(path, path.stat().st_size)
    assert (split.start, split.end, split.compression, split.seek) == (0, path.stat().st_size, "gzip", "")


def test_every_change_changes_every_key(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    text = rows(1500)
    path.write_bytes(gzip.compress(text, mtime=0))
    before = {split.key for split in plan(path, 50_000)}
    stored = bytearray(path.read_bytes())
    stored[9] ^= 1  # the field that names the operating system
    path.write_bytes(stored)
    assert not before & {split.key for split in plan(path, 50_000)}


def test_what_was_planned_is_trusted_where_size_and_time_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(rows(1500)))
    splits = plan(path, 50_000)
    write_known(tmp_path / "inputs.feather", splits, 50_000)
    known = KnownInputs.read(tmp_path / "inputs.feather", 50_000)
    monkeypatch.setattr(planning, "cut_lines", lambda *_, **__: pytest.fail("it was read"))
    assert plan(path, 50_000, known) == splits
    os.utime(path, ns=(5, 5))
    with pytest.raises(pytest.fail.Exception):
        plan(path, 50_000, known)


def test_what_cannot_be_cut_is_said_once_where_it_is_large(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl.xz"
    path.write_bytes(lzma.compress(rows(1500), preset=0))
    size = path.stat().st_size
    assert len(plan(path, size // 3)) == 1
    assert capsys.readouterr().err == ""
    inputs = InputOptions(jsonlines=(str(path),))
    assert len(plan_splits(inputs, size // 5, progress=Progress(sys.stderr))) == 1
    assert capsys.readouterr().err == (
        f"preprocessing: --jsonlines {path} (0 MiB) is read by one worker: it has one block, so it cannot be entered "
        "in its middle; `xz -T0` writes many.\n"
    )


@pytest.mark.parametrize("skip_bad_files", [False, True])
def test_a_damaged_stream_is_left_to_its_reader(tmp_path: Path, skip_bad_files: bool) -> None:
    path = tmp_path / "rows.jsonl.gz"
    stored = bytearray(gzip.compress(rows(1500)))
    stored[len(stored) // 2] ^= 16
    path.write_bytes(stored)
    (split,) = plan_splits(InputOptions(jsonlines=(str(path),), skip_bad_files=skip_bad_files), 50_000)
    tally = Tally()
    options = DocumentOptions(skip_bad_files=skip_bad_files)
    if skip_bad_files:
        list(read_documents(split, options, tally))
        assert tally.counters["dropped.bad_file"] == 1
    else:
        with pytest.raises(PreprocessingError, match=r"rows\.jsonl\.gz is damaged near byte"):
            list(read_documents(split, options, tally))


def test_a_dump_of_many_streams_is_still_cut_at_streams(tmp_path: Path) -> None:
    text = rows(900)
    streams = [bz2.compress(b"<mediawiki>" + text[at : at + 20_000], 1) for at in range(0, len(text), 20_000)]
    path = tmp_path / "dump.bz2"
    path.write_bytes(b"".join(streams))
    splits = plan_splits(InputOptions(wikipedia=(str(path),)), 20_000)
    begins = set(itertools.accumulate(map(len, streams), initial=0))
    assert len(splits) > 3
    assert {split.compression for split in splits} == {"bz2"}
    assert {split.start for split in splits} < begins
    # One long stream behind them, and the file is cut inside streams.
    path.write_bytes(b"".join(streams[:3]) + bz2.compress(text * 2, 1))
    assert {split.compression for split in plan_splits(InputOptions(wikipedia=(str(path),)), 20_000)} == {"bz2-blocks"}
