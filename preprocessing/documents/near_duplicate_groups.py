"""Which documents are near-duplicates of each other, from their signatures (locality-sensitive hashing in bands).

Source: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from preprocessing.documents.near_duplicate_signatures import NearDuplicateOptions
from preprocessing.errors import PreprocessingError

_RECALL = 0.99
_PAIRS_AT_A_TIME = 8192


@dataclass(frozen=True, slots=True)
class Signatures:
    """All documents of the signature files, ordered by key. The signatures themselves are memory-mapped views."""

    keys: np.ndarray  # S16 [documents], ascending
    characters: np.ndarray  # uint64 [documents]
    place: np.ndarray  # int64 [documents]: row of the document in the concatenated blocks
    blocks: list[np.ndarray]  # uint32 [rows, permutations] each
    names: list[pa.RecordBatch]

    def rows(self, documents: np.ndarray) -> np.ndarray:
        """uint32 [len(documents), permutations]."""
        ends = np.cumsum([len(block) for block in self.blocks])
        places = self.place[documents]
        which = np.searchsorted(ends, places, side="right")
        result = np.empty((len(documents), self.blocks[0].shape[1]), np.uint32)
        for index in np.unique(which):
            chosen = which == index
            result[chosen] = self.blocks[index][places[chosen] - (ends[index] - len(self.blocks[index]))]
        return result

    def band(self, first: int, rows: int) -> np.ndarray:
        """uint64 [documents]: one number for the `rows` signature columns from `first`; equal columns, equal number."""
        parts = []
        for block in self.blocks:
            number = np.zeros(len(block), np.uint64)
            for column in range(first, first + rows):
                number = (number ^ block[:, column]) * np.uint64(0x9E3779B97F4A7C15)
                number ^= number >> np.uint64(32)
            parts.append(number)
        return np.concatenate(parts)[self.place]

    def key(self, document: int) -> bytes:
        """The document's key; numpy strips the zero bytes that a key may end in."""
        return bytes(self.keys[document]).ljust(16, b"\0")

    def name(self, document: int) -> str:
        """`file#locator` of a document."""
        place = int(self.place[document])
        for batch in self.names:
            if place < batch.num_rows:
                return f"{batch.column('file')[place]}#{batch.column('locator')[place]}"
            place -= batch.num_rows
        raise IndexError(document)


def open_signatures(files: Sequence[Path], permutations: int) -> Signatures:
    """Maps the files. Raises PreprocessingError when one is damaged or was made with another number of permutations."""
    keys, characters, blocks, names = [], [], [], []
    for file in files:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(file)))
        except (pa.ArrowException, OSError) as error:
            raise PreprocessingError(f"{file} is not a signature file ({error}); remove it and run again.") from error
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            width = batch.schema.field("signature").type.byte_width
            if width != 4 * permutations:
                raise PreprocessingError(
                    f"{file} holds signatures of {width // 4} permutations, not {permutations}; remove it "
                    "and run again."
                )
            keys.append(np.frombuffer(batch.column("key").buffers()[1], "S16", count=batch.num_rows))
            characters.append(batch.column("characters").to_numpy())
            flat = np.frombuffer(batch.column("signature").buffers()[1], "<u4", count=batch.num_rows * permutations)
            blocks.append(flat.reshape(batch.num_rows, permutations))
            names.append(batch.select(["file", "locator"]))
    if not blocks:
        return Signatures(np.empty(0, "S16"), np.empty(0, np.uint64), np.empty(0, np.int64), [], [])
    joined = np.concatenate(keys)
    order = np.argsort(joined, kind="stable")
    return Signatures(joined[order], np.concatenate(characters)[order], order, blocks, names)


def band_rows(threshold: float, permutations: int) -> int:
    """The longest band for which documents at the threshold still meet in some band with probability 0.99.

    With b = permutations // r bands of r rows, documents of similarity s meet with probability 1 - (1 - s^r)^b.
    """
    for rows in range(permutations // 2, 1, -1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return rows
    return 1


def linked_groups(signatures: Signatures, options: NearDuplicateOptions) -> np.ndarray:
    """int32 [documents]: the number of the group each document is in; a group is linked by pairs at the threshold."""
    documents = len(signatures.keys)
    if not documents:
        return np.empty(0, np.int32)
    rows = band_rows(options.threshold, options.permutations)
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for first in range(0, options.permutations - rows + 1, rows):
        for a, b in _candidates(signatures.band(first, rows)):
            share = (signatures.rows(a) == signatures.rows(b)).mean(axis=1)
            left.append(a[share >= options.threshold])
            right.append(b[share >= options.threshold])
    a, b = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(documents, documents))
    return connected_components(graph, directed=False)[1]


def _candidates(numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of documents with equal numbers: each with the first of its run, and with the one before it."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    same = ordered[1:] == ordered[:-1]
    second = np.flatnonzero(same) + 1
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    run_start = starts[np.searchsorted(starts, second, side="right") - 1]
    before = second - 1
    chained = run_start != before
    a = np.concatenate([order[run_start], order[before[chained]]])
    b = np.concatenate([order[second], order[second[chained]]])
    for begin in range(0, len(a), _PAIRS_AT_A_TIME):
        yield a[begin : begin + _PAIRS_AT_A_TIME], b[begin : begin + _PAIRS_AT_A_TIME]
