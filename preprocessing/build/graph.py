"""The Beam graph of a build: steps through which only the numbers of splits, partitions and buckets travel.

    ExtractSplits ─▶ GatherPartitions (a large build only) ─▶ WriteShards

Composite transforms of parts that every runner does right; bulk goes through files. Workers import these classes by
name, so they stand in a module and not in the file that is run.
"""

from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from preprocessing.build.buckets import build_bucket
from preprocessing.build.configuration import Job
from preprocessing.build.extract import extract_split
from preprocessing.build.gather import gather_partition
from preprocessing.build.metrics import count_examples, count_tally
from preprocessing.build.references import references_of_bucket
from preprocessing.documents.reading import faults_in
from preprocessing.jobs.failures import unless_failed
from preprocessing.jobs.piece_of_work import begin_work
from preprocessing.jobs.splits import read_split
from preprocessing.jobs.steps import Step
from preprocessing.sources.split import Split


def build_steps(splits: int, job: Job) -> list[Step]:
    """The steps of a build. `splits` is how many there are in the job's file of splits."""
    extract = Step("ExtractSplits", ExtractSplits(job), splits)
    gather = Step("GatherPartitions", GatherPartitions(job), job.partitions.count)
    write = Step("WriteShards", WriteShards(job), job.configuration.buckets)
    return [extract, write] if job.partitions.direct else [extract, gather, write]


class ExtractSplits(beam.PTransform):
    """Every split's documents as tokens, dealt to partitions, in files: the split's number when they are written."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, splits: PCollection[int]) -> PCollection[int]:
        return splits | "Extract" >> beam.ParDo(_Extract(self._job)).with_output_types(int)


class GatherPartitions(beam.PTransform):
    """Every partition's documents, dealt to its buckets, in files: the partition's number when they are written."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, partitions: PCollection[int]) -> PCollection[int]:
        return partitions | "Gather" >> beam.ParDo(_Work(self._job, gather_partition)).with_output_types(int)


class WriteShards(beam.PTransform):
    """Every bucket's shards: the bucket's number when they are written."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, buckets: PCollection[int]) -> PCollection[int]:
        return buckets | "Write" >> beam.ParDo(_Work(self._job, _write)).with_output_types(int)


class _Extract(beam.DoFn):
    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, number: int) -> Iterator[int]:
        begin_work(self._job.storage)
        job = self._job
        read: list[Split] = []  # empty where the split itself cannot be had: then there is nothing to look through

        def extract() -> None:
            read.append(read_split(job.splits_path, number))
            count_tally(extract_split(read[0], job), read[0].size)

        unless_failed(
            job.intermediate,
            extract,
            lambda: [fault for split in read for fault in faults_in(split, job.configuration.source)],
        )
        yield number


class _Work(beam.DoFn):
    """`work` on a number and the job; after a failure nothing new is begun."""

    def __init__(self, job: Job, work: Callable[[int, Job], None]) -> None:
        self._job = job
        self._work = work

    def process(self, number: int) -> Iterator[int]:
        begin_work(self._job.storage)
        unless_failed(self._job.intermediate, lambda: self._work(number, self._job))
        yield number


def _write(bucket: int, job: Job) -> None:
    references = references_of_bucket(bucket, job)
    if references:
        count_examples(build_bucket(bucket, references, job))
