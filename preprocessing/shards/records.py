"""What a manifest says of one file: the rows of its tables."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "heldout"]


class FileRecord(NamedTuple):
    """What there is to check of any file: `name` is relative to the shard folder, `bytes` its size."""

    name: str
    rows: int
    sha256: str
    bytes: int


class Record(BaseModel):
    """A frozen part of a manifest, which refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardRecord(Record):
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


class DocumentTableRecord(Record):
    """The table of one bucket's documents, which `document_a` and `document_b` of its shards point into."""

    name: str
    rows: int
    sha256: str
    bytes: int


class InputRecord(Record):
    """One input file as it was read: `file` relative to the fixed prefix of the glob."""

    source: str
    file: str
    bytes: int
    splits: int


class TableRecord(Record):
    """One table of the manifest. `name` is relative to the shard folder, `bytes` the size of the file."""

    name: str
    """Relative to the shard folder."""
    rows: int
    """Rows of the table."""
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    bytes: int
    """Size of the file."""

    @property
    def file(self) -> FileRecord:
        """What there is to check of it."""
        return FileRecord(self.name, self.rows, self.sha256, self.bytes)


AnyFile = FileRecord | ShardRecord | DocumentTableRecord
