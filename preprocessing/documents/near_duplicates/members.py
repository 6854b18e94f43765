"""The documents that have a candidate, apart from all others: few enough to be looked up one by one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.documents.near_duplicates.bands import key_numbers, splits_of
from preprocessing.documents.near_duplicates.candidates import distinct
from preprocessing.documents.near_duplicates.job import PART_BITS, NearDuplicateJob, batches_of, open_link_file
from preprocessing.documents.near_duplicates.signatures import (
    signature_batches,
    signature_matrix,
    signature_schema,
)
from preprocessing.errors import PreprocessingError

# Of a batch at least: looking documents up takes a turn for every batch that holds some of them.
_ROWS_AT_A_TIME = 1 << 16
NAMES = ("source", "file", "locator")


def member_schema(permutations: int) -> pa.Schema:
    """One row, one document: its number in the part, then the columns of `signature_schema`."""
    return signature_schema(permutations).insert(0, pa.field("document", pa.uint32()))


def write_members(part: int, job: NearDuplicateJob) -> None:
    """Copies the rows of the part's documents that some range found a partner for, in order, unless the file is there.

    Memory: some 65,536 such rows. Raises PreprocessingError when an earlier step's file is missing.
    """
    target = job.path("members", part)
    if target.is_file():
        return
    wanted = _wanted(part, job)
    schema = member_schema(job.options.permutations)
    held: list[pa.RecordBatch] = []
    with replacing(target) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        for rows in _rows(part, wanted, schema, job):
            held.append(rows)
            if sum(map(len, held)) >= _ROWS_AT_A_TIME:
                writer.write_table(pa.Table.from_batches(held).combine_chunks())
                held = []
        if held:
            writer.write_table(pa.Table.from_batches(held).combine_chunks())


def _rows(part: int, wanted: np.ndarray, schema: pa.Schema, job: NearDuplicateJob) -> Iterator[pa.RecordBatch]:
    """The wanted documents of each batch of the part's signature files. wanted: int64, ascending."""
    number = 0
    for key, documents in splits_of(part, job):
        first, last = np.searchsorted(wanted, (number, number + documents))
        if first == last:
            number += documents
            continue
        for batch in signature_batches(job.signature_path(key), job.options.permutations):
            chosen = slice(*np.searchsorted(wanted, (number, number + batch.num_rows)))
            rows = batch.take(pa.array(wanted[chosen] - number))
            yield pa.record_batch([pa.array(wanted[chosen].astype(np.uint32)), *rows.columns], schema=schema)
            number += batch.num_rows


def _wanted(part: int, job: NearDuplicateJob) -> np.ndarray:
    """int64, ascending: the numbers of the part's documents that have a candidate in any range."""
    edges = np.array([part << PART_BITS, (part + 1) << PART_BITS], np.uint64)
    found = []
    for number in range(job.ranges):
        places = open_link_file(job.path("partners", number)).get_batch(0).column("place").to_numpy()
        first, last = np.searchsorted(places, edges)
        found.append(places[first:last])
    return (distinct(*found) - edges[0]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Part:
    documents: np.ndarray  # uint32 [rows], ascending
    begins: np.ndarray  # int64 [batches]: the first row of each batch
    batches: list[pa.RecordBatch]


class Members:
    """Looks documents up by place; the files are memory-mapped when they are first needed."""

    def __init__(self, job: NearDuplicateJob) -> None:
        self._job = job
        self._parts: dict[int, _Part] = {}

    def signatures(self, places: np.ndarray) -> np.ndarray:
        """uint32 [places, permutations]."""
        result = np.empty((len(places), self._job.options.permutations), np.uint32)
        for chosen, rows, batch in self._located(places):
            result[chosen] = signature_matrix(batch)[rows]
        return result

    def keys(self, places: np.ndarray) -> np.ndarray:
        """uint64 [places, 2]: keys as two numbers, which sort as the keys do."""
        result = np.empty((len(places), 2), np.uint64)
        for chosen, rows, batch in self._located(places):
            result[chosen] = key_numbers(batch)[rows]
        return result

    def characters(self, places: np.ndarray) -> np.ndarray:
        """uint64 [places]."""
        result = np.empty(len(places), np.uint64)
        for chosen, rows, batch in self._located(places):
            result[chosen] = batch.column("characters").to_numpy()[rows]
        return result

    def names(self, places: np.ndarray) -> pa.Table:
        """Columns `source`, `file`, `locator`: a row a place."""
        order, tables = [np.empty(0, np.int64)], []
        for chosen, rows, batch in self._located(places):
            order.append(chosen)
            tables.append(pa.Table.from_batches([batch.select(list(NAMES)).take(pa.array(rows))]))
        if not tables:
            return pa.table({name: pa.array([], pa.string()) for name in NAMES})
        back = np.argsort(np.concatenate(order), kind="stable")
        return pa.concat_tables(tables).combine_chunks().take(pa.array(back))

    def _located(self, places: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, pa.RecordBatch]]:
        """(which of the places, their rows in the batch, the batch), for each batch that holds some."""
        if not len(places):
            return
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        parts = ordered >> np.uint64(PART_BITS)
        numbers, begins = np.unique(parts, return_index=True)
        for part, begin, end in zip(numbers.tolist(), begins, [*begins[1:], len(places)], strict=True):
            found = self._part(int(part))
            documents = (ordered[begin:end] & np.uint64((1 << PART_BITS) - 1)).astype(np.uint32)
            rows = np.searchsorted(found.documents, documents)
            in_batch = np.searchsorted(found.begins, rows, side="right") - 1
            for batch in np.unique(in_batch).tolist():
                chosen = np.flatnonzero(in_batch == batch)
                yield order[begin + chosen], rows[chosen] - found.begins[batch], found.batches[batch]

    def _part(self, part: int) -> _Part:
        if part not in self._parts:
            path = self._job.path("members", part)
            batches = list(batches_of(path))
            if not batches:
                raise PreprocessingError(f"{path} lacks documents; remove it and run the same command again.")
            rows = [batch.num_rows for batch in batches]
            self._parts[part] = _Part(
                documents=np.concatenate([batch.column("document").to_numpy() for batch in batches]),
                begins=np.concatenate([[0], np.cumsum(rows)[:-1]]).astype(np.int64),
                batches=batches,
            )
        return self._parts[part]
