"""Signature files from arrays, and all steps of linking on them in this process."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from preprocessing.documents.near_duplicates.bands import sort_bands
from preprocessing.documents.near_duplicates.candidates import find_candidates
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.documents.near_duplicates.members import write_members
from preprocessing.documents.near_duplicates.pairs import compare_pairs
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions, signature_schema
from preprocessing.documents.options import DocumentOptions

MARK = "0123456789abcdef"


def write_split(path: Path, signatures: np.ndarray, keys: Sequence[bytes], characters: Sequence[int]) -> None:
    """A signature file of two record batches; the locator of a document is its key."""
    schema = signature_schema(signatures.shape[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_file(str(path), schema) as writer:
        middle = len(keys) // 2
        for rows in (slice(0, middle), slice(middle, len(keys))):
            columns = [
                pa.array(keys[rows], pa.binary(16)),
                pa.array(characters[rows], pa.uint64()),
                pa.array([row.astype("<u4").tobytes() for row in signatures[rows]], schema.field("signature").type),
                pa.array(["books"] * len(keys[rows])),
                pa.array([f"file {number % 3}" for number in characters[rows]], pa.string()),
                pa.array([key.hex() for key in keys[rows]], pa.string()),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


@pytest.fixture
def signed(tmp_path: Path) -> Callable[..., tuple[NearDuplicateJob, list[str]]]:
    """(signatures [n, permutations], keys, characters, splits, options) → the job, the splits' keys in order."""
    made = []

    def sign(
        signatures: np.ndarray, keys: Sequence[bytes], characters: Sequence[int], splits: int, **options: float
    ) -> tuple[NearDuplicateJob, list[str]]:
        folder = tmp_path / f"signatures-{len(made)}"
        made.append(folder)
        settings = NearDuplicateOptions(permutations=signatures.shape[1], **options)  # type: ignore[arg-type]
        job = NearDuplicateJob(folder, MARK, splits, DocumentOptions(), settings)
        split_keys = sorted(xxhash.xxh3_128_hexdigest(f"{number}".encode()) for number in range(splits))
        for number, split_key in enumerate(split_keys):
            rows = np.arange(number, len(keys), splits)
            write_split(
                job.signature_path(split_key), signatures[rows], [keys[i] for i in rows], [characters[i] for i in rows]
            )
        return job, split_keys

    return sign


@pytest.fixture
def linked(signed: Callable[..., tuple[NearDuplicateJob, list[str]]]) -> Callable[..., NearDuplicateJob]:
    """As `signed`, and then every step, piece by piece, in an order that no runner promises."""

    def link(*arguments: object, **options: float) -> NearDuplicateJob:
        job, split_keys = signed(*arguments, **options)
        for part in reversed(range(job.parts)):
            sort_bands(part, [split_keys[number] for number in job.splits_in(part)], job)
        for number in reversed(range(job.ranges)):
            find_candidates(number, job)
        for part in reversed(range(job.parts)):
            write_members(part, job)
        for number in range(job.ranges):
            compare_pairs(number, job)
        return job

    return link
