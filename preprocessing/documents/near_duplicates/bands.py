"""Bands of signatures, sorted: where equal bands of many documents then lie beside each other.

Source: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.documents.near_duplicates.job import NearDuplicateJob, open_link_file
from preprocessing.documents.near_duplicates.signatures import (
    NearDuplicateOptions,
    signature_batches,
    signature_matrix,
)

_RECALL = 0.99
_NUMBERS_AT_A_TIME = 1 << 25  # 256 MiB: as many bands at a time as this allows, at least one
_SCHEMA = pa.schema([("number", pa.uint64()), ("document", pa.uint32())])
_SPLITS = b"preprocessing.splits"


def band_rows(threshold: float, permutations: int) -> int:
    """The longest band for which documents at the threshold still meet in some band with probability 0.99.

    With b = permutations // r bands of r rows, documents of similarity s meet with probability 1 - (1 - s^r)^b.
    """
    for rows in range(permutations // 2, 1, -1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return rows
    return 1


def band_count(options: NearDuplicateOptions) -> int:
    """How many bands a signature has."""
    return options.permutations // band_rows(options.threshold, options.permutations)


def band_numbers(signatures: np.ndarray, band: int, rows: int) -> np.ndarray:
    """uint64 [documents]: one number for the band; equal signature columns, equal number.

    signatures: uint32 [documents, permutations].
    """
    numbers = np.zeros(len(signatures), np.uint64)
    for column in range(band * rows, (band + 1) * rows):
        numbers = (numbers ^ signatures[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        numbers ^= numbers >> np.uint64(32)
    return numbers


def sort_bands(part: int, split_keys: Sequence[str], job: NearDuplicateJob) -> None:
    """Writes the part's documents' keys, and for each band a record batch (number, document) sorted by number.

    Nothing is done where both files are there. `split_keys`: of all splits of the part, in order. Memory: 256 MiB of
    band numbers, or one band of all documents where that is more, and 24 bytes a document. Raises PreprocessingError
    when signatures are missing or damaged.
    """
    keys_path, target = job.path("keys", part), job.path("bands", part)
    if keys_path.is_file() and target.is_file():
        return
    files = [job.signature_path(key) for key in split_keys]
    documents = _write_keys(keys_path, files, job)
    rows, bands = band_rows(job.options.threshold, job.options.permutations), band_count(job.options)
    at_a_time = min(bands, max(1, _NUMBERS_AT_A_TIME // max(1, documents)))
    with replacing(target) as temporary, pa.ipc.new_file(str(temporary), _SCHEMA) as writer:
        for first in range(0, bands, at_a_time):
            block = range(first, min(bands, first + at_a_time))
            numbers = np.empty((len(block), documents), np.uint64)
            for place, signatures in _matrices(files, job):
                for row, band in enumerate(block):
                    numbers[row, place : place + len(signatures)] = band_numbers(signatures, band, rows)
            for of_band in numbers:
                order = np.argsort(of_band, kind="stable")
                writer.write_batch(
                    pa.record_batch([pa.array(of_band[order]), pa.array(order.astype(np.uint32))], schema=_SCHEMA)
                )


def read_bands(part: int, job: NearDuplicateJob) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each band (numbers uint64, ascending; document uint32), memory-mapped."""
    reader = open_link_file(job.path("bands", part))
    batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
    return [(batch.column("number").to_numpy(), batch.column("document").to_numpy()) for batch in batches]


def read_keys(part: int, job: NearDuplicateJob) -> np.ndarray:
    """uint64, big-endian [documents, 2]: the keys as two numbers, which sort as the keys do; memory-mapped."""
    batch = open_link_file(job.path("keys", part)).get_batch(0)
    return key_numbers(batch)


def key_numbers(batch: pa.RecordBatch) -> np.ndarray:
    """uint64, big-endian [rows, 2]: the column `key` of a batch."""
    column = batch.column("key")
    return np.frombuffer(column.buffers()[1] or b"", ">u8", 2 * len(column), 16 * column.offset).reshape(-1, 2)


def splits_of(part: int, job: NearDuplicateJob) -> list[tuple[str, int]]:
    """(split's key, documents) for each split of a part, in the order of the documents' numbers."""
    metadata = open_link_file(job.path("keys", part)).schema.metadata
    return [(str(key), int(documents)) for key, documents in json.loads(metadata[_SPLITS])]


def _write_keys(target: Path, files: Sequence[Path], job: NearDuplicateJob) -> int:
    """The keys of all documents in one record batch, what comes from which split in the metadata; their number."""
    keys, counts = [], []
    for file in files:
        found = [key_numbers(batch).tobytes() for batch in signature_batches(file, job.options.permutations)]
        keys += found
        counts.append((file.stem, sum(map(len, found)) // 16))
    total = sum(count for _, count in counts)
    schema = pa.schema([("key", pa.binary(16))], metadata={_SPLITS: json.dumps(counts).encode()})
    column = pa.Array.from_buffers(pa.binary(16), total, [None, pa.py_buffer(b"".join(keys))])
    with replacing(target) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_batch(pa.record_batch([column], schema=schema))
    return total


def _matrices(files: Sequence[Path], job: NearDuplicateJob) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the first document, signatures [documents, permutations]) for each record batch."""
    place = 0
    for file in files:
        for batch in signature_batches(file, job.options.permutations):
            yield place, signature_matrix(batch)
            place += batch.num_rows
