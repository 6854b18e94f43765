"""A piece of work: a range of one input file, or several small files of one source."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import xxhash

SPLIT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Split:
    """One piece of work. `path` opens the file on this machine, `file` names it in outputs.

    `[start, end)` counts bytes of the file as stored (row groups for parquet, shards for dataset). Of a stream that is
    cut inside it counts decoded bytes, where `seek` says how a decoder gets there (`seeking.seek_points.PlainRange` as
    text), or stored bits, where `compression` is "bz2-blocks"; otherwise that is "", "bz2", "gzip", "xz" or "zstd".
    `content` is a hash of all bytes of the range (of the file, where the range counts no stored bytes), so that
    whatever changes in a file gives another key. `bytes` are those of the range where it does not count them itself,
    about; `modified` is the time in ns of what is a file. `more` are further small splits of the same source, read
    after this one.

    With `parsed` the documents of this split, `more` included, lie in a file of a parsed corpus, which `path` opens;
    all else says what they were parsed from. `parsed` is a hash that stands for all bytes of that file.
    """

    source: str
    path: str
    file: str
    start: int
    end: int
    compression: str = ""
    content: str = ""
    bytes: int = 0
    modified: int = 0
    parsed: str = ""
    seek: str = ""
    more: tuple["Split", ...] = ()

    @property
    def key(self) -> str:
        """32 hexadecimal digits that name this piece of work: the same on every machine."""
        identity = [(s.source, s.file, s.start, s.end, s.compression, s.content) for s in self.pieces()]
        if self.parsed:
            return xxhash.xxh3_128_hexdigest(json.dumps([identity, self.parsed]).encode())
        return xxhash.xxh3_128_hexdigest(json.dumps(identity).encode())

    @property
    def size(self) -> int:
        """Stored bytes of all pieces; of a row group, a data set's shard or a part of a stream about."""
        return sum(piece.bytes or piece.end - piece.start for piece in self.pieces())

    def pieces(self) -> tuple["Split", ...]:
        """This split without `more`, then those in `more`: each a range of one file."""
        return (replace(self, more=()), *self.more) if self.more else (self,)

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Split":
        return cls(**{**data, "more": tuple(cls.from_json(other) for other in data["more"])})
