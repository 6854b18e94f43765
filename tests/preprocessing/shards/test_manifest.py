"""The manifest and its tables: what is written is read, by older programs' files too, and nothing else is taken."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.record_columns import DocumentTableRecords, ShardRecords
from preprocessing.shards.record_tables import TABLE_NAMES
from preprocessing.shards.records import ShardRecord
from preprocessing.shards.writer import write_table
from preprocessing.verify import main, verify

RECORDS = ("shards", "documents", "inputs")


def as_version_1(folder: Path) -> None:
    """The same manifest as it was written before there were tables."""
    manifest = Manifest.read(folder)
    records = {name: [record.model_dump() for record in getattr(manifest, name)] for name in RECORDS}
    data = json.loads((folder / "manifest.json").read_text())
    del data["manifest_version"], data["tables"]
    for name in TABLE_NAMES:
        (folder / "manifest" / name).unlink()
    (folder / "manifest").rmdir()
    (folder / "manifest.json").write_text(json.dumps(data | records))


def everything(manifest: Manifest) -> dict[str, Any]:
    return manifest.model_dump(exclude={*RECORDS, "tables"}) | {name: list(getattr(manifest, name)) for name in RECORDS}


def test_what_is_written_is_read(shard_folder: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(shard_folder)
    assert [path.name for path in sorted((shard_folder / "manifest").iterdir())] == sorted(TABLE_NAMES)
    manifest.write(tmp_path / "again")
    assert everything(Manifest.read(tmp_path / "again")) == everything(manifest)
    for name in ("manifest.json", *(f"manifest/{name}" for name in TABLE_NAMES)):
        assert (tmp_path / "again" / name).read_bytes() == (shard_folder / name).read_bytes()


def test_the_marker_does_not_grow_with_the_build(shard_folder: Path) -> None:
    data = json.loads((shard_folder / "manifest.json").read_text())
    assert data["manifest_version"] == 2
    assert data["format_version"] == 1
    assert not {"shards", "documents", "inputs"} & data.keys()
    for name, table in data["tables"].items():
        content = (shard_folder / table["name"]).read_bytes()
        assert table["name"] == f"manifest/{name}.arrow"
        assert (table["bytes"], table["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert data["tables"]["shards"]["rows"] == 2


def test_a_manifest_of_version_1_is_still_read(shard_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Manifest.read(shard_folder)
    expected, fingerprint = everything(before), before.fingerprint
    as_version_1(shard_folder)
    manifest = Manifest.read(shard_folder)
    assert everything(manifest) == expected
    assert main([str(shard_folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == fingerprint == manifest.fingerprint


@pytest.mark.parametrize("buckets", [0, 1, 12])
def test_the_fingerprint_is_that_of_sha256sum(shard_folder: Path, buckets: int) -> None:
    """Of the lines "hash  name", sorted by name: as `sha256sum` writes them."""
    manifest = Manifest.read(shard_folder)
    draw = random.Random(buckets)
    shards = [
        manifest.shards[0].model_copy(
            update={"name": f"{place}/part-{bucket}.arrow", "sha256": draw.randbytes(32).hex()}
        )
        for bucket in range(buckets)
        for place in ("train/16", "heldout/512", "a/1")  # before and behind "documents"
    ]
    documents = [
        manifest.documents[0].model_copy(
            update={"name": f"documents/part-{bucket}", "sha256": draw.randbytes(32).hex()}
        )
        for bucket in range(buckets)
    ]
    lines = sorted((record.name, record.sha256) for record in [*shards, *documents])
    expected = hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in lines).encode()).hexdigest()
    columns = {"shards": ShardRecords.of(shards), "documents": DocumentTableRecords.of(documents)}
    assert Manifest(**everything(manifest) | columns | {"inputs": manifest.inputs}).fingerprint == expected


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "is missing, a part of the manifest; remove manifest.json"),
    "cut": (cut, "is not the table that was written: its sha256 is "),
    "empty": (lambda path: path.write_bytes(b""), "is not the table that was written"),
    "altered": (flip, "is not the table that was written: its sha256 is "),
    "of another build": (lambda path: path.write_bytes(b"ARROW1" * 100), "manifest.json says "),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
}


@pytest.mark.parametrize("table", TABLE_NAMES)
@pytest.mark.parametrize("harm", HARM)
def test_a_harmed_table_is_named_in_one_sentence(
    shard_folder: Path, capsys: pytest.CaptureFixture[str], table: str, harm: str
) -> None:
    damage, message = HARM[harm]
    damage(shard_folder / "manifest" / table)
    manifest = Manifest.read(shard_folder)
    with pytest.raises(PreprocessingError, match=rf"manifest/{table}") as caught:
        manifest.write(shard_folder / "elsewhere")
    assert message in str(caught.value)
    assert not isinstance(caught.value, TransientError)
    assert main([str(shard_folder)]) == 2
    first, *more = capsys.readouterr().err.splitlines()
    assert f"manifest/{table}" in first
    assert len(more) <= 1  # the number of problems


def test_a_file_too_many_among_the_tables(shard_folder: Path) -> None:
    (shard_folder / "manifest" / "more.arrow").write_bytes(b"")
    assert [str(problem) for problem in verify(shard_folder)[1]] == [
        "extra: manifest/more.arrow: not in the manifest; remove it"
    ]


def changed(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


HOSTILE: dict[str, Callable[[pa.Table], pa.Table]] = {
    "numbers of another type": lambda table: changed(table, "rows", pa.array([0, 2], pa.int32())),
    "a null": lambda table: changed(table, "rows", pa.array([0, None], pa.int64())),
    "a number below zero": lambda table: changed(table, "rows", pa.array([-1, 2], pa.int64())),
    "a name twice": lambda table: changed(table, "name", pa.array(["a", "a"])),
    "names out of order": lambda table: changed(table, "name", pa.array(["b", "a"])),
    "a row less": lambda table: table.slice(1),
    "a column less": lambda table: table.drop_columns(["tokens"]),
    "offsets that point outside": lambda table: changed(
        table,
        "split",
        pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 9999, 3], np.int32)), pa.py_buffer(b"abc")),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_with_a_fitting_hash_is_refused(shard_folder: Path, name: str) -> None:
    path = shard_folder / "manifest" / "shards.arrow"
    table = HOSTILE[name](Manifest.read(shard_folder).shards.table)
    data = json.loads((shard_folder / "manifest.json").read_text())
    sha256, size = write_table(path, table, {})
    data["tables"]["shards"] |= {"sha256": sha256, "bytes": size}
    (shard_folder / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(PreprocessingError, match=r"shards\.arrow is no table of"):
        Manifest.read(shard_folder).records("train", 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["tables"].pop("inputs"), "damaged"),
        (lambda data: data["tables"]["length_histograms"].update(rows=3), "damaged"),
        (lambda data: data["tables"].update(shards=[]), "damaged"),
        (lambda data: data.pop("tables"), "damaged"),
        (lambda data: data.update(more=1), "damaged"),
        (lambda data: data.update(manifest_version=9), "has manifest version 9, this program reads versions 1 and 2"),
    ],
)
def test_a_marker_that_does_not_fit(
    shard_folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = shard_folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(PreprocessingError, match=message):
        Manifest.read(shard_folder)


def test_tables_are_read_when_they_are_asked_for(shard_folder: Path) -> None:
    for name in ("documents.arrow", "inputs.arrow", "length_histograms.arrow"):
        (shard_folder / "manifest" / name).unlink()
    records = Manifest.read(shard_folder).records("train", 16)
    assert (records.rows.tolist(), records.column("tokens").tolist()) == ([2], [20])
    with pytest.raises(PreprocessingError, match="length_histograms"):
        records.length_histogram()


def test_a_record_has_the_columns_of_its_table() -> None:
    assert {*ShardRecord.model_fields} - {"length_histogram"} == {*ShardRecords.schema.names}
