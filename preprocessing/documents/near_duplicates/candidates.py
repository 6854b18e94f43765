"""Pairs of documents that agree on a whole band: those worth comparing."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.documents.near_duplicates.bands import band_count, read_bands, read_keys
from preprocessing.documents.near_duplicates.job import PART_BITS, NearDuplicateJob

PAIR_SCHEMA = pa.schema([("a", pa.uint64()), ("b", pa.uint64())])
PARTNER_SCHEMA = pa.schema([("place", pa.uint64())])
_ROWS_AT_A_TIME = 1 << 23

_Bands = list[tuple[np.ndarray, np.ndarray]]


def find_candidates(number: int, job: NearDuplicateJob) -> None:
    """Writes the pairs whose band number is in range `number`, and the sorted places of their documents.

    Nothing is done where both files are there. Memory: some 40 bytes for each of 8 million rows of bands (more where
    more have one number), and 8 bytes for each document and band with a partner. Raises PreprocessingError when a
    file of the step before is missing.
    """
    partners_path, target = job.path("partners", number), job.path("candidates", number)
    if partners_path.is_file() and target.is_file():
        return
    bands = [read_bands(part, job) for part in range(job.parts)]
    keys = [read_keys(part, job) for part in range(job.parts)]
    first, end = ((edge << 64) // job.ranges for edge in (number, number + 1))
    partners: list[np.ndarray] = []
    with replacing(target) as temporary, pa.ipc.new_file(str(temporary), PAIR_SCHEMA) as writer:
        for band in range(band_count(job.options)):
            for numbers, places in _pieces([of_part[band] for of_part in bands], first, end):
                a, b = candidate_pairs(numbers, places, keys)
                if len(a):
                    writer.write_batch(pa.record_batch([pa.array(a), pa.array(b)], schema=PAIR_SCHEMA))
                    partners.append(distinct(a, b))
            partners = [distinct(*partners)]
        with replacing(partners_path) as beside, pa.ipc.new_file(str(beside), PARTNER_SCHEMA) as other:
            other.write_batch(pa.record_batch([pa.array(partners[0])], schema=PARTNER_SCHEMA))


def distinct(*values: np.ndarray) -> np.ndarray:
    """uint64, ascending, each once. Many times as fast as `numpy.unique`, which hashes where most are distinct."""
    ordered = np.sort(np.concatenate([np.empty(0, np.uint64), *values]))
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def candidate_pairs(
    numbers: np.ndarray, places: np.ndarray, keys: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of places with equal numbers, in order of key: each with the first of its run, and with the one before.

    numbers, places: uint64 [rows], in any order. keys: for each part uint64 [documents, 2].
    """
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    same = ordered[1:] == ordered[:-1]
    in_run = np.zeros(len(ordered), bool)
    in_run[1:] = same
    in_run[:-1] |= same
    ordered, members = ordered[in_run], places[order[in_run]]
    names = _keys_of(members, keys)
    order = np.lexsort((members, names[:, 1], names[:, 0], ordered))
    ordered, members = ordered[order], members[order]
    same = ordered[1:] == ordered[:-1]
    second = np.flatnonzero(same) + 1
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    run_start = starts[np.searchsorted(starts, second, side="right") - 1]
    before = second - 1
    chained = run_start != before
    a = np.concatenate([members[run_start], members[before[chained]]])
    b = np.concatenate([members[second], members[second[chained]]])
    return a, b


def _pieces(parts: Sequence[tuple[np.ndarray, np.ndarray]], first: int, end: int) -> Iterator[tuple[np.ndarray, ...]]:
    """(numbers, places) of one band with first <= number < end, some million rows at a time.

    parts: (numbers, documents) of each part.
    """
    rows = sum(_last(numbers, end) - _last(numbers, first) for numbers, _ in parts)
    pieces = max(1, -(-rows // _ROWS_AT_A_TIME))
    edges = [first + (end - first) * piece // pieces for piece in range(pieces + 1)]
    for lower, upper in itertools.pairwise(edges):
        found, places = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        for part, (numbers, documents) in enumerate(parts):
            chosen = slice(_last(numbers, lower), _last(numbers, upper))
            found.append(numbers[chosen])
            places.append(documents[chosen] | np.uint64(part << PART_BITS))
        yield np.concatenate(found), np.concatenate(places)


def _last(numbers: np.ndarray, edge: int) -> int:
    """How many of the ascending numbers are below `edge`, which may be 2^64."""
    return int(np.searchsorted(numbers, np.uint64(edge - 1), side="right")) if edge else 0


def _keys_of(places: np.ndarray, keys: Sequence[np.ndarray]) -> np.ndarray:
    """uint64 [places, 2]."""
    result = np.empty((len(places), 2), np.uint64)
    parts = (places >> np.uint64(PART_BITS)).astype(np.int64)
    documents = (places & np.uint64((1 << PART_BITS) - 1)).astype(np.int64)
    for part in np.unique(parts).tolist():
        chosen = np.flatnonzero(parts == part)
        result[chosen] = keys[part][documents[chosen]]
    return result
