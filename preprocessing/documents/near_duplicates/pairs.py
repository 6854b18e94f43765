"""Candidates compared on their full signatures."""

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.documents.near_duplicates.candidates import PAIR_SCHEMA
from preprocessing.documents.near_duplicates.job import NearDuplicateJob, batches_of
from preprocessing.documents.near_duplicates.members import Members

PAIRS_AT_A_TIME = 1 << 15


def compare_pairs(number: int, job: NearDuplicateJob) -> None:
    """Writes the range's pairs that reach the threshold, unless the file is there.

    Memory: 16 bytes for each pair that the range found in one band, and the signatures of 32,768 pairs. Raises
    PreprocessingError when a file of an earlier step is missing.
    """
    target = job.path("pairs", number)
    if target.is_file():
        return
    members = Members(job)
    with replacing(target) as temporary, pa.ipc.new_file(str(temporary), PAIR_SCHEMA) as writer:
        for batch in batches_of(job.path("candidates", number)):
            a, b = (batch.column(name).to_numpy() for name in ("a", "b"))
            order = np.lexsort((b, a))  # neighbours then lie in the same files
            for begin in range(0, len(order), PAIRS_AT_A_TIME):
                chosen = order[begin : begin + PAIRS_AT_A_TIME]
                left, right = a[chosen], b[chosen]
                similar = similarity(members, left, right) >= job.options.threshold
                if similar.any():
                    writer.write_batch(
                        pa.record_batch([pa.array(left[similar]), pa.array(right[similar])], schema=PAIR_SCHEMA)
                    )


def similarity(members: Members, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float64 [pairs]: the share of equal numbers in the signatures, which estimates the Jaccard similarity."""
    equal: np.ndarray = members.signatures(a) == members.signatures(b)
    return equal.mean(axis=1)
