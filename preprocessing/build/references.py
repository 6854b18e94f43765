"""Which record batches of which intermediate files a partition or a bucket is made of: read from sidecars.

Sent through the runner it would be a line for every partition of every split, some 370 bytes each in the driver's
memory. So a worker reads all sidecars of the splits once, when all splits are done, and keeps two bytes a batch.
"""

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import write_text
from preprocessing.build.configuration import Job
from preprocessing.documents.bad_share import BadShare
from preprocessing.errors import PreprocessingError, TransientError, of_system
from preprocessing.jobs.splits import count_splits
from preprocessing.sources.threads import in_threads
from preprocessing.storage import Location, arrow_source
from preprocessing.tokens.corpus import Array, offsets_of


class BatchReference(NamedTuple):
    """Record batches of one intermediate file, by their numbers in it."""

    file: str
    batches: tuple[int, ...]


def write_sidecar(path: Location, batches: Sequence[tuple[int, int]], **more: Any) -> None:
    """Says of which partition or bucket each record batch of a file is, and how many documents it holds."""
    content = {"numbers": [number for number, _ in batches], "documents": [count for _, count in batches], **more}
    write_text(path, json.dumps(content, sort_keys=True))


def read_sidecar(path: Location) -> dict[str, Any] | None:
    """What `write_sidecar` wrote: `numbers` and `documents`, by record batch, and the rest.

    None where it is not there, or damaged (empty, after a machine went down): then its work is not done.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if {"numbers", "documents"} <= content.keys() else None


def documents_by_number(content: dict[str, Any], count: int) -> Array:
    """int64 [count]: the documents that a sidecar names, by partition or bucket."""
    counted: Array = np.bincount(
        np.array(content["numbers"], np.int64), weights=content["documents"], minlength=count
    ).astype(np.int64)
    return counted


def references_of_partition(partition: int, job: Job) -> list[BatchReference]:
    """Of all splits of the build, by file. Raises PreprocessingError where too much of the input is bad."""
    index = _index(job.splits_path, job.mark, job.inputs_hash)
    index.bad_share.enforce(job.max_bad_share)  # before hours are spent on what is left
    places = np.flatnonzero(index.numbers == partition)
    if not len(places):
        return []
    files, firsts = np.unique(np.searchsorted(index.offsets, places, side="right") - 1, return_index=True)
    return [
        BatchReference(index.files[file], tuple((found - index.offsets[file]).tolist()))
        for file, found in zip(files.tolist(), np.split(places, firsts[1:]), strict=True)
    ]


def references_of_bucket(bucket: int, job: Job) -> list[BatchReference]:
    """Of the splits' files, where they are dealt to buckets; of its partition's file, where that came between."""
    partitions = job.partitions
    if partitions.direct:
        return references_of_partition(bucket, job)
    partition = bucket * partitions.count // partitions.buckets
    numbers = _numbers(job.partition_path(partition, ".json"), job.inputs_hash)
    batches = tuple(np.flatnonzero(numbers == bucket).tolist())
    return [BatchReference(job.partition_path(partition, ".arrow").name, batches)] if batches else []


def read_batches(references: Sequence[BatchReference], folder: Location) -> Iterator[pa.RecordBatch]:
    """The record batches, by file. Raises PreprocessingError for a file that is missing or damaged.

    They are read and not mapped: thousands of files could be more than a process may map.
    """
    for reference in references:
        path = folder / reference.file
        try:
            with arrow_source(path) as source, pa.ipc.open_file(source) as reader:
                for number in reference.batches:
                    yield reader.get_batch(number)
        except TransientError:
            raise
        except (OSError, pa.ArrowException) as error:
            sentence = f"The intermediate file {path} is missing or damaged; remove it and run the command again."
            raise (
                of_system(error, sentence) if isinstance(error, OSError) else PreprocessingError(sentence)
            ) from error


@dataclass(frozen=True)
class _Index:
    files: list[str]
    offsets: Array
    """int64, files + 1: where each file's batches begin in `numbers`"""
    numbers: Array
    """uint16: the partition of every batch of every file"""
    bad_share: BadShare
    """what of the inputs could not be read"""


@functools.lru_cache(maxsize=1)
def _index(splits_path: Location, mark: str, inputs: str) -> _Index:
    """Kept by the worker's process: what a build's splits hold does not change.

    Raises TransientError while not all of them are seen: a file server may show a folder as it was a while ago.
    """
    name = re.compile(rf"split-[0-9a-f]{{32}}-{mark}\.json")
    paths = sorted(path for path in splits_path.parent.iterdir() if name.fullmatch(path.name))
    bad_share = BadShare()
    numbers = []
    for found, bad in in_threads(_numbers_and_bad, paths):
        numbers.append(found)
        bad_share.add_plain(bad)
    splits = count_splits(splits_path)
    if len(paths) != splits:
        raise TransientError(f"{splits_path.parent} shows {len(paths)} of {splits} finished splits; try again.")
    return _Index(
        [path.with_suffix(".arrow").name for path in paths],
        offsets_of(np.array([len(found) for found in numbers], np.int64)),
        np.concatenate([np.empty(0, np.uint16), *(found.astype(np.uint16) for found in numbers)]),
        bad_share,
    )


@functools.lru_cache(maxsize=16)
def _numbers(sidecar: Location, inputs: str) -> Array:
    return _numbers_of(sidecar).astype(np.int64)


def _numbers_of(sidecar: Location) -> Array:
    return _numbers_and_bad(sidecar)[0]


def _numbers_and_bad(sidecar: Location) -> tuple[Array, dict[str, Any]]:
    content = read_sidecar(sidecar)
    if content is None:
        raise PreprocessingError(f"{sidecar} is missing or damaged; remove it and run the command again.")
    return np.array(content["numbers"], np.uint32), content.get("bad", {})
