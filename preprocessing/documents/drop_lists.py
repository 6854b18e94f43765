"""Lists of documents to leave out of a build: written by a pass before it, read by every worker.

A list is one Arrow IPC file with a column `key` (16 bytes each, sorted) and the reason in the schema's metadata; a
worker holds 16 bytes a listed document.
"""

import functools
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import xxhash

from preprocessing.atomic_file import replacing
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.identity import stamp
from preprocessing.storage import Location, arrow_source
from preprocessing.tally import Tally

_REASON = b"preprocessing.drop_reason"


def document_key(source: str, file: str, locator: str) -> bytes:
    """16 bytes that name a document wherever the input lies."""
    return xxhash.xxh3_128_digest("\0".join((source, file, locator)).encode())


def write_drop_list(path: Location, reason: str, keys: Iterable[bytes]) -> int:
    """Writes the distinct keys, sorted; returns their number. `reason` is the last part of the `dropped.*` counter."""
    ordered = sorted(set(keys))
    write_sorted_keys(path, reason, b"".join(ordered))
    return len(ordered)


def write_sorted_keys(path: Location, reason: str, keys: bytes) -> None:
    """The same for distinct keys that are sorted already, end to end: millions of them are no Python objects."""
    schema = pa.schema([("key", pa.binary(16))], metadata={_REASON: reason.encode()})
    column = pa.Array.from_buffers(pa.binary(16), len(keys) // 16, [None, pa.py_buffer(keys)])
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_table(pa.table([column], schema=schema))


class DropLists:
    """Several lists, for lookups by key."""

    def __init__(self, lists: list[tuple[str, np.ndarray]]) -> None:
        """`lists`: (reason, sorted keys as numpy S16) for each list."""
        self._lists = lists

    @property
    def sizes(self) -> list[int]:
        """Documents that each list names."""
        return [len(keys) for _, keys in self._lists]

    def reason(self, key: bytes, tally: Tally | None = None) -> str | None:
        """Why the document is left out (the first list that names it), or None.

        Each list that names it is counted in `tally`, under its `hits_counter`.
        """
        wanted = np.frombuffer(key, "S16")
        reasons = []
        for number, (reason, keys) in enumerate(self._lists):
            index = int(np.searchsorted(keys, wanted)[0])
            if index < len(keys) and keys[index] == wanted[0]:
                reasons.append(reason)
                if tally is not None:
                    tally.count(hits_counter(number))
        return reasons[0] if reasons else None


def hits_counter(number: int) -> str:
    """The counter of the documents that list `number` (from 0, as the lists were given) named."""
    return f"drop_lists.{number + 1}.documents"


def refuse_idle_lists(paths: tuple[str, ...], tally: Tally) -> None:
    """PreprocessingError for a list that named no document of the build; those that found some are counted only."""
    sizes = load_drop_lists(paths).sizes if paths else []
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        hits = tally.counters[hits_counter(number)]
        if size and not hits:
            raise PreprocessingError(
                f"--drop-lists {path} names {size} documents, and none of them is in the input; a document is named by "
                "its file below the fixed part of the pattern, so make the list with the patterns of the build."
            )
        if size > hits:
            tally.count(f"drop_lists.{number + 1}.not_found", size - hits)


def load_drop_lists(paths: tuple[str, ...]) -> DropLists:
    """Reads the lists, once a process while they stay the same. PreprocessingError for a missing or foreign file."""
    return _load(tuple((path, stamp(path)) for path in paths))


@functools.lru_cache(maxsize=4)
def _load(stamped: tuple[tuple[str, tuple[int, int]], ...]) -> DropLists:
    return DropLists([_read(path) for path, _ in stamped])


def _read(path: str) -> tuple[str, np.ndarray]:
    try:
        with arrow_source(path) as stream:
            table = pa.ipc.open_file(stream).read_all()
        reason = (table.schema.metadata or {})[_REASON].decode()
        keys = table.column("key").combine_chunks()
    except TransientError:
        raise
    except (OSError, pa.ArrowException, KeyError) as error:
        raise PreprocessingError(
            f"{path} is not a drop list ({error}); write one with python -m preprocessing.near_duplicates."
        ) from error
    buffer = keys.buffers()[1] if len(keys) else b""
    return reason, np.frombuffer(buffer, "S16", count=len(keys))
