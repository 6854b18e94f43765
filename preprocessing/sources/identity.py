"""What makes an input the same input: one function for files, one record of what was found.

The identity of a range is a hash of all of its bytes. Hashing reads the input once more (at the disk's speed), so what
was found is kept beside a build, and may be trusted where a file's size and time are what they were.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import pyarrow as pa
import xxhash

from preprocessing.atomic_file import replacing
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.progress import BYTES, SILENT, Progress
from preprocessing.sources.input_files import InputFile, unreadable
from preprocessing.sources.split import Split
from preprocessing.sources.threads import BLOCK_BYTES, in_threads
from preprocessing.storage import Location, arrow_source, open_file, status

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "file", "compression", "content", "seek")),
        *((name, pa.int64()) for name in ("size", "modified", "start", "end", "bytes")),
    ]
)
_CUT_BYTES = b"preprocessing.split_bytes"


def content_hash(
    path: str | Location, start: int = 0, end: int | None = None, advance: Callable[[int], None] = lambda size: None
) -> str:
    """32 hexadecimal digits (xxh3-128) of the bytes `[start, end)` of a file, of all of it without `end`.

    `advance` hears how many more bytes were read. Raises OSError, also when the file ends before `end`.
    """
    digest = xxhash.xxh3_128()
    with open_file(path, buffering=0) as stream:
        left = stream.seek(0, os.SEEK_END) - start if end is None else end - start
        stream.seek(start)
        while left > 0:
            block = stream.read(min(BLOCK_BYTES, left))
            if not block:
                raise OSError(5, f"it ends at byte {stream.tell():,}, while it is read")
            digest.update(block)
            left -= len(block)
            advance(len(block))
    return digest.hexdigest()


def stamp(path: str | Location) -> tuple[int, int]:
    """Size and time (ns) of a file, (-1, -1) where there is none: what is kept of its content holds while these do.

    A worker's process may live longer than a build, and the next one may find another file under the same name.
    """
    try:
        found = status(path)
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


@dataclass
class KnownInputs:
    """Files as they were cut and hashed by an earlier run with the same `split_bytes`."""

    split_bytes: int
    files: dict[tuple[str, str], tuple[int, int, list[Split]]] = field(default_factory=dict)
    """(source, file) → size, modified, pieces with empty paths."""

    def pieces(self, source: str, file: InputFile) -> list[Split] | None:
        """The pieces of a file whose size and time are what they were; None for any other."""
        size, modified, pieces = self.files.get((source, file.name), (-1, -1, []))
        if (size, modified) != (file.size, file.modified) or not pieces:
            return None
        return [replace(piece, path=file.path) for piece in pieces]

    @classmethod
    def read(cls, path: Location, split_bytes: int) -> "KnownInputs":
        """What `write_known` wrote; nothing known where there is no such file, or it is of another `split_bytes`."""
        known = cls(split_bytes)
        try:
            with arrow_source(path) as stream:
                table = pa.ipc.open_file(stream).read_all()
        except (OSError, pa.ArrowException):
            return known
        if table.schema != _SCHEMA or (table.schema.metadata or {}).get(_CUT_BYTES) != str(split_bytes).encode():
            return known
        for row in table.to_pylist():
            size = row.pop("size")
            piece = Split(path="", **row)
            known.files.setdefault((piece.source, piece.file), (size, piece.modified, []))[2].append(piece)
        return known


def write_known(path: Location, splits: Iterable[Split], split_bytes: int) -> None:
    """Keeps the pieces of all files for `KnownInputs.read`."""
    pieces = [piece for split in splits for piece in split.pieces() if piece.modified]
    names = ("source", "file", "compression", "content", "seek", "modified", "start", "end", "bytes")
    columns = {name: [getattr(piece, name) for piece in pieces] for name in names}
    sizes: dict[tuple[str, str], int] = {}
    for piece in pieces:
        key = (piece.source, piece.file)
        sizes[key] = sizes.get(key, 0) + (piece.bytes or piece.end - piece.start)
    columns["size"] = [sizes[piece.source, piece.file] for piece in pieces]
    schema = _SCHEMA.with_metadata({_CUT_BYTES: str(split_bytes).encode()})
    table = pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)
    with replacing(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)


def with_content(
    pieces: list[Split], skip_bad_files: bool, progress: Progress = SILENT
) -> tuple[list[Split], list[PreprocessingError]]:
    """The pieces with the hashes of their contents, those apart that have one; and what went wrong on the way.

    A file that cannot be read has no hash: it is a fault, or with `skip_bad_files` its reader meets it and counts it.
    """
    # An empty range is a file that cannot be used: to open it could wait for ever, where it is a pipe.
    unread = [piece for piece in pieces if not piece.content and piece.start < piece.end]
    ranges = list(dict.fromkeys(map(_range, unread)))
    with progress.count("hash inputs", sum(piece.size for piece in unread), BYTES) as count:
        found = dict(zip(ranges, in_threads(lambda place: _attempt(place, count.advance), ranges), strict=True))
    faults: list[PreprocessingError] = []
    hashed = []
    for piece in pieces:
        result = piece.content or found.get(_range(piece), "")
        if isinstance(result, OSError):
            fault = unreadable(piece.source, piece.path, result)
            if not skip_bad_files or isinstance(fault, TransientError):
                faults.append(fault)
            result = ""
        hashed.append(replace(piece, content=result))
    return hashed, faults


def has_changed(piece: Split) -> bool:
    """Whether a file holds something else now than when it was hashed; read again only if its time moved."""
    if not piece.modified or status(piece.path).st_mtime_ns == piece.modified:
        return False
    return _attempt(_range(piece)) != piece.content


_Range = tuple[str, int, int | None]


def _range(piece: Split) -> _Range:
    return (piece.path, 0, None) if piece.bytes else (piece.path, piece.start, piece.end)


def _attempt(place: _Range, advance: Callable[[int], None] = lambda size: None) -> str | OSError:
    try:
        return content_hash(*place, advance)
    except OSError as error:
        return error
