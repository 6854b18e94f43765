"""What a finished folder of shards holds: every file with its hash, and what became of every document.

`manifest.json` is small and written last. The records of shards, document tables and inputs, which grow with the
build, are tables beside it (`record_tables.py`), which it names with their hashes.
"""

import hashlib
import json
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics
from preprocessing.shards.record_columns import DocumentTableRecords, FileRecords, InputRecords, Records, ShardRecords
from preprocessing.shards.record_packing import ascend, flat
from preprocessing.shards.record_tables import open_tables, write_tables
from preprocessing.shards.records import DocumentTableRecord, InputRecord, Record, ShardRecord, TableRecord
from preprocessing.storage import Location

FORMAT_VERSION = 1
"""Of the shards."""
MANIFEST_VERSION = 2
"""Of the manifest itself. Version 1 held all records in `manifest.json`, and is still read."""
MANIFEST_NAME = "manifest.json"
SPLITS = ("train", "heldout")


class Manifest(Record):
    """`manifest.json`, the last file of a build: where it lies, the build is complete."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    format_version: int
    """Version of the format of the shards."""
    configuration_hash: str
    """sha256 of `configuration`, 64 hexadecimal digits."""
    configuration: dict[str, Any]
    """Every option that the bytes depend on; files that options name stand there by what they hold."""
    inputs_hash: str
    """sha256 over the keys of all splits of the input, 64 hexadecimal digits: other input, another hash."""
    inputs: InputRecords
    """The input files, by source and name."""
    tokenizer_fingerprint: str
    """sha256 of everything that decides which ids a text gets, 64 hexadecimal digits."""
    vocabulary_size: int
    """Pieces of the vocabulary."""
    buckets: int
    """Parts that the documents were dealt to: files of each split and length, at most."""
    lengths: tuple[int, ...]
    """Sequence lengths that were built, in pieces."""
    shards: ShardRecords
    """The shards, by name."""
    documents: DocumentTableRecords
    """The tables of documents, by name."""
    tally: dict[str, Any]
    """Merged `Tally` of all splits and buckets, as its `to_json` gives it."""
    corpus: CorpusStatistics
    """The documents that were kept, in numbers."""
    statistics: dict[str, ExampleStatistics]
    """By split and length, for instance "train/128"."""
    tables: dict[str, TableRecord] = Field(default_factory=dict)
    """The tables that `shards`, `documents` and `inputs` were read from; none before they are written."""

    @property
    def counters(self) -> dict[str, int]:
        """Counters by name: `documents_in`, `documents_out`, `dropped.<reason>` and others."""
        return dict(self.tally["counters"])

    @cached_property
    def fingerprint(self) -> str:
        """One sha256 (hexadecimal) over the names and hashes of all shards and document tables."""
        names, hashes = zip(*(_names_and_hashes(records) for records in (self.documents, self.shards)), strict=True)
        name, sha256 = pa.concat_arrays(names), pa.concat_arrays(hashes)
        if not ascend(name):
            order = pc.sort_indices(name)
            name, sha256 = name.take(order), sha256.take(order)
        lines = pc.binary_join_element_wise(sha256, "  ", name, "\n", "")
        return hashlib.sha256(_text_of(lines)).hexdigest()

    def records(self, split: str, length: int) -> ShardRecords:
        """The shards of one split and length, by name."""
        return self.shards.of_split(split, length)

    def write(self, folder: Location) -> None:
        """Writes the tables and then `manifest.json` into `folder`."""
        tables = write_tables(folder, self.shards, self.documents, self.inputs)
        content = {
            "manifest_version": MANIFEST_VERSION,
            **self.model_dump(mode="json", exclude={"inputs", "shards", "documents", "tables"}),
            "tables": {name: record.model_dump() for name, record in tables.items()},
        }
        write_text(folder / MANIFEST_NAME, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Location) -> "Manifest":
        """Reads and checks `folder`/manifest.json; a table beside it is read when something of it is first asked for.

        Raises PreprocessingError when it is absent (the build is not complete), damaged or of another version; later,
        when a table is missing or not the one that was written.
        """
        path = folder / MANIFEST_NAME
        if not folder.is_dir():
            raise PreprocessingError(f"{folder} is not a folder of shards: no such folder; give the build's output.")
        if not path.is_file():
            raise PreprocessingError(
                f"{folder} has no {MANIFEST_NAME}, so its build is not complete; run the same command again."
            )
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            _require_known_versions(path, data)
            return cls.model_validate(data | _records_of(folder, data))
        except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError, ValidationError) as error:
            raise PreprocessingError(f"{path} is damaged; remove it and run the build again to restore it.") from error


def statistics_key(split: str, length: int) -> str:
    """The key of `Manifest.statistics`, also the folder below the output."""
    return f"{split}/{length}"


def _require_known_versions(path: Location, data: dict[str, Any]) -> None:
    version = data.get("format_version")
    if version != FORMAT_VERSION:
        raise PreprocessingError(
            f"{path} has shard format version {version}, this program reads version {FORMAT_VERSION}; build the shards "
            "again."
        )
    version = data.pop("manifest_version", 1)
    if version not in (1, MANIFEST_VERSION):
        raise PreprocessingError(
            f"{path} has manifest version {version}, this program reads versions 1 and {MANIFEST_VERSION}; use a newer "
            "one, or build the shards again."
        )


def _records_of(folder: Location, data: dict[str, Any]) -> dict[str, Records[Any]]:
    if "tables" in data:
        return open_tables(folder, TypeAdapter(dict[str, TableRecord]).validate_python(data["tables"]))
    return {  # version 1
        "shards": ShardRecords.of(ShardRecord.model_validate(record) for record in data["shards"]),
        "documents": DocumentTableRecords.of(DocumentTableRecord.model_validate(one) for one in data["documents"]),
        "inputs": InputRecords.of(InputRecord.model_validate(record) for record in data["inputs"]),
    }


def _names_and_hashes(records: FileRecords[Any]) -> tuple[pa.Array, pa.Array]:
    """Names, and hashes in hexadecimal, as strings."""
    pairs = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)  # the two digits of every byte
    digits = pairs[records.sha256]
    edges = np.arange(len(digits) + 1, dtype=np.int32) * (2 * digits.shape[1])
    hashes = pa.StringArray.from_buffers(len(digits), pa.py_buffer(edges), pa.py_buffer(digits))
    return flat(records.table, "name"), hashes


def _text_of(lines: pa.StringArray) -> pa.Buffer:
    """All strings end to end, without a copy."""
    edges = np.frombuffer(lines.buffers()[1], np.int32, len(lines) + 1, 4 * lines.offset)
    return lines.buffers()[2].slice(int(edges[0]), int(edges[-1] - edges[0])) if len(lines) else pa.py_buffer(b"")
