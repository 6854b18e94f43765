"""What a finished folder of shards holds: every file with its hash, and what became of every document."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
SPLITS = ("train", "heldout")

Split = Literal["train", "heldout"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardRecord(_Record):
    """One shard. `name` is relative to the shard folder, `bytes` the size of the file."""

    name: str
    split: str
    length: int
    rows: int
    tokens: int
    masked_tokens: int
    random_pairs: int
    sha256: str
    bytes: int
    length_histogram: dict[int, int]
    """Tokens of an example, special tokens included → number of examples."""


class DocumentTableRecord(_Record):
    """The table of one bucket's documents, which `document_a` and `document_b` of its shards point into."""

    name: str
    rows: int
    sha256: str
    bytes: int


class InputRecord(_Record):
    """One input file as it was read: `file` relative to the fixed prefix of the glob."""

    source: str
    file: str
    bytes: int
    splits: int


class Manifest(_Record):
    """`manifest.json`, the last file of a build: where it lies, the build is complete."""

    format_version: int
    configuration_hash: str
    configuration: dict[str, Any]
    inputs_hash: str
    inputs: tuple[InputRecord, ...]
    tokenizer_fingerprint: str
    vocabulary_size: int
    buckets: int
    lengths: tuple[int, ...]
    shards: tuple[ShardRecord, ...]
    documents: tuple[DocumentTableRecord, ...]
    tally: dict[str, Any]
    """Merged `Tally` of all splits and buckets, as its `to_json` gives it."""
    corpus: CorpusStatistics
    statistics: dict[str, ExampleStatistics]
    """By split and length, for instance "train/128"."""

    @property
    def counters(self) -> dict[str, int]:
        """Counters by name: `documents_in`, `documents_out`, `dropped.<reason>` and others."""
        return dict(self.tally["counters"])

    @property
    def fingerprint(self) -> str:
        """One sha256 (hexadecimal) over the names and hashes of all shards and document tables."""
        digest = hashlib.sha256()
        hashes = {record.name: record.sha256 for record in self.shards}
        hashes |= {record.name: record.sha256 for record in self.documents}
        for name in sorted(hashes):
            digest.update(f"{hashes[name]}  {name}\n".encode())
        return digest.hexdigest()

    def records(self, split: str, length: int) -> tuple[ShardRecord, ...]:
        """The shards of one split and length, by name."""
        return tuple(
            sorted(
                (shard for shard in self.shards if shard.split == split and shard.length == length),
                key=lambda shard: shard.name,
            )
        )

    def write(self, folder: Path) -> None:
        """Writes `manifest.json` into `folder`."""
        write_text(folder / MANIFEST_NAME, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Reads and checks `folder`/manifest.json.

        Raises PreprocessingError when it is absent (the build is not complete), damaged or of another version.
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
            version = data.get("format_version")
            if version != FORMAT_VERSION:
                raise PreprocessingError(
                    f"{path} has shard format version {version}, this program reads version {FORMAT_VERSION}; "
                    "build the shards again."
                )
            return cls.model_validate(data)
        except (ValueError, AttributeError, ValidationError) as error:
            raise PreprocessingError(f"{path} is damaged; remove it and run the build again to restore it.") from error


def statistics_key(split: str, length: int) -> str:
    """The key of `Manifest.statistics`, also the folder below the output."""
    return f"{split}/{length}"
