import json
from collections.abc import Callable
from pathlib import Path

import pytest

from preprocessing.shards.manifest import Manifest
from preprocessing.shards.record_columns import ShardRecords
from preprocessing.verify import main, verify
from tests.recorded_progress import RecordedProgress

SHARD = "train/16/part-00000-of-00001.arrow"
TABLE = "documents/part-00000-of-00001.arrow"


def test_an_intact_folder_ends_with_the_hash_over_all_hashes(shard_folder: Path, capsys):
    assert main([str(shard_folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == Manifest.read(shard_folder).fingerprint


def test_every_byte_is_counted(shard_folder: Path):
    manifest, progress = Manifest.read(shard_folder), RecordedProgress()
    assert verify(shard_folder, progress)[1] == []
    files = [*manifest.shards.files(), *manifest.documents.files(), *(table.file for table in manifest.tables.values())]
    size = sum((shard_folder / file.name).stat().st_size for file in files)
    assert progress.ends == [("verify", size, size)]


@pytest.mark.parametrize("is_damaged", [False, True])
def test_other_programs_read_one_object(shard_folder: Path, capsys, is_damaged: bool):
    if is_damaged:
        flip_a_bit(shard_folder)
    assert main([str(shard_folder), "--json", "--quiet"]) == (2 if is_damaged else 0)
    printed = capsys.readouterr()
    found, manifest = json.loads(printed.out), Manifest.read(shard_folder)
    problems = found.pop("problems")
    assert [(problem["kind"], problem["name"]) for problem in problems] == ([("corrupt", SHARD)] if is_damaged else [])
    assert found == {
        "intact": not is_damaged,
        "shards": len(manifest.shards),
        "examples": sum(record.rows for record in manifest.shards),
        "bytes": sum(record.bytes for record in (*manifest.shards, *manifest.documents)),
        "fingerprint": manifest.fingerprint,
    }
    assert (printed.err == "") == (not is_damaged)


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / SHARD).read_bytes())
    content[-20] ^= 1
    (folder / SHARD).write_bytes(content)


def swap_the_vocabulary(folder: Path) -> None:
    path = folder / "tokenizer" / "tokenizer.json"
    path.write_text(path.read_text().replace('"bark"', '"bork"'))


DAMAGE: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "shard missing": (lambda folder: (folder / SHARD).unlink(), [f"missing: {SHARD}"]),
    "document table missing": (lambda folder: (folder / TABLE).unlink(), [f"missing: {TABLE}"]),
    "truncated": (
        lambda folder: (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:99]),
        [f"corrupt: {SHARD}"],
    ),
    "one bit": (flip_a_bit, [f"corrupt: {SHARD}: sha256"]),
    "a folder in its place": (
        lambda folder: ((folder / SHARD).unlink(), (folder / SHARD).mkdir()),
        [f"corrupt: {SHARD}: cannot be read"],
    ),
    "a file too many": (
        lambda folder: (folder / "train/16/more.arrow").write_bytes(b""),
        ["extra: train/16/more.arrow"],
    ),
    "another vocabulary": (swap_the_vocabulary, ["corrupt: tokenizer"]),
    "two at once": (
        lambda folder: ((folder / TABLE).unlink(), (folder / "documents/x").write_bytes(b"")),
        [f"missing: {TABLE}", "extra: documents/x"],
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_the_exit_code_is_2(shard_folder: Path, capsys, name: str):
    harm, expected = DAMAGE[name]
    harm(shard_folder)
    assert main([str(shard_folder)]) == 2
    output = capsys.readouterr()
    assert Manifest.read(shard_folder).fingerprint not in output.out
    for problem in expected:
        assert problem in output.err
    assert f"{len(expected)} problems" in output.err


def test_a_wrong_row_count_in_the_manifest_is_found(shard_folder: Path, capsys):
    manifest = Manifest.read(shard_folder)
    shards = [shard.model_copy(update={"rows": 3} if shard.name == SHARD else {}) for shard in manifest.shards]
    manifest.model_copy(update={"shards": ShardRecords.of(shards)}).write(shard_folder)
    assert main([str(shard_folder)]) == 2
    assert f"corrupt: {SHARD}" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["no manifest", "broken manifest", "no folder"])
def test_without_a_manifest_there_is_one_sentence(shard_folder: Path, capsys, harm: str):
    folder = shard_folder / "nowhere" if harm == "no folder" else shard_folder
    if harm == "no manifest":
        (folder / "manifest.json").unlink()
    elif harm == "broken manifest":
        (folder / "manifest.json").write_text("{")
    assert main([str(folder)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
