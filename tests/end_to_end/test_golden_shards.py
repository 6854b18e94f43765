"""What preprocessing makes of the small corpus, pinned: rows, files and a vocabulary.

The rows must never change unmeant. The files hold no version of any package, and their bytes are the same as long as
pyarrow lays them out the same; so they are compared under the version of pyarrow that the golden file names. Files that
differ where the rows do not mean another layout, or other settings in the metadata.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

ANY_BALANCE = ("--maximum-label-imbalance", "1")  # the published code labels more than half of short pairs random
BUILDS = {
    "default": (),
    "whole-words": ("--whole-word-masking",),
    "reference": ("--recipe", "reference", *ANY_BALANCE),
    "reference-whole-words": ("--recipe", "reference", "--whole-word-masking", *ANY_BALANCE),
}


@pytest.fixture(scope="module", params=BUILDS)
def build(request: pytest.FixtureRequest, corpus, commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shards whose name is the build's."""
    folder = tmp_path_factory.mktemp("golden") / request.param
    commands.must_build(*corpus.arguments(folder), *BUILDS[request.param])
    return folder


def test_rows_are_golden(build: Path, golden) -> None:
    golden.check(f"shards/{build.name}", [*rows(build), *counters(build)])


def test_files_are_golden(build: Path, golden) -> None:
    path = Path(__file__).parent / "golden" / "shards" / f"{build.name}-files.txt"
    version = f"pyarrow={pa.__version__}"
    if not golden.is_writing and path.is_file() and (made_by := path.read_text().split("\n")[0]) != version:
        pytest.skip(f"the golden files were written by {made_by}, this is {version}")
    files = [
        {"file": file.relative_to(build), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in data_files(build)
    ]
    golden.check(f"shards/{build.name}-files", [{"pyarrow": pa.__version__}, *files])


def test_vocabulary_is_golden(corpus, commands, golden, tmp_path: Path) -> None:
    inputs = ("--wikipedia", str(corpus.folder / "*.xml.bz2"), "--sentences", str(corpus.folder / "lines.txt"))
    commands.must_train_vocabulary(*inputs, "--vocabulary-size", "600", "--output", str(tmp_path / "vocabulary"))
    pieces = (tmp_path / "vocabulary" / "vocab.txt").read_bytes()
    golden.check("shards/vocabulary", [{"pieces": pieces.count(b"\n"), "sha256": hashlib.sha256(pieces).hexdigest()}])


def data_files(folder: Path) -> list[Path]:
    """Shards and document tables; the manifest's own tables say what these are."""
    return sorted(file for place in ("train", "heldout", "documents") for file in (folder / place).rglob("*.arrow"))


def rows(folder: Path) -> Iterator[dict[str, object]]:
    """A record for each shard and document table: the hash is over its columns' types and its rows as JSON."""
    for file in data_files(folder):
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_stream(source).read_all()
        digest = hashlib.sha256("".join(f"{column.name} {column.type}\n" for column in table.schema).encode())
        for row in table.to_pylist():
            digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
        record: dict[str, object] = {"file": file.relative_to(folder), "rows": table.num_rows}
        if "input_ids" in table.column_names:
            record |= {"tokens": _elements(table, "input_ids"), "masked": _elements(table, "masked_labels")}
        yield {**record, "sha256": digest.hexdigest()}


def _elements(table: pa.Table, column: str) -> int:
    return len(table[column].combine_chunks().flatten())


def counters(folder: Path) -> Iterator[dict[str, object]]:
    """What was read and what was dropped, as the manifest has it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, count in sorted(manifest["tally"]["counters"].items()):
        yield {"counter": name, "count": count}
