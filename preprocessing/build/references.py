"""Which record batches of which intermediate files a bucket is made of: read from the sidecars of the splits.

Sent through the runner it would be a line for every bucket of every split, some 370 bytes each in the driver's memory:
their number grows with the square of the corpus. So a worker reads all sidecars once, when all splits are done.
"""

import functools
import re
from pathlib import Path

from preprocessing.build.configuration import Job
from preprocessing.build.extract import references_in


def keys_of_split(number: int, splits: int, buckets: int) -> range:
    """The buckets that split `number` of `splits` names: together all splits name every bucket once.

    A runner groups when all of them have been named, so no bucket is begun before all splits are done.
    """
    return range(number, buckets, splits)


def references_of(bucket: int, job: Job) -> list[str]:
    """The bucket's references ("file:batch numbers"), by file."""
    return _all_references(job.intermediate, job.configuration_hash[:16], job.inputs_hash).get(bucket, [])


@functools.lru_cache(maxsize=1)
def _all_references(intermediate: Path, mark: str, inputs: str) -> dict[int, list[str]]:
    """By bucket. Kept by the worker's process: what a build's splits hold does not change."""
    found: dict[int, list[str]] = {}
    name = re.compile(rf"split-[0-9a-f]{{32}}-{mark}\.json")
    for path in sorted(path for path in intermediate.iterdir() if name.fullmatch(path.name)):
        for bucket, reference in references_in(path):
            found.setdefault(bucket, []).append(reference)
    return found
