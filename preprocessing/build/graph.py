"""The Beam graph of a build: steps through which only the numbers of splits, partitions and buckets travel.

    ExtractSplits ─▶ GatherPartitions (a large build only) ─▶ WriteShards

Composite transforms of parts that every runner does right; bulk goes through files. Workers import these classes by
name, so they stand in a module and not in the file that is run.
"""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from preprocessing.build.buckets import build_bucket
from preprocessing.build.configuration import Job
from preprocessing.build.extract import extract_split
from preprocessing.build.gather import gather_partition
from preprocessing.build.metrics import count_examples, count_tally
from preprocessing.build.references import references_of_bucket
from preprocessing.documents.reading import faults_in
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.jobs.failures import has_failed, note_failures, noting_failure
from preprocessing.jobs.runners import quiet
from preprocessing.jobs.splits import read_split
from preprocessing.jobs.steps import Step


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
        return partitions | "Gather" >> beam.ParDo(_Gather(self._job)).with_output_types(int)


class WriteShards(beam.PTransform):
    """Every bucket's shards: the bucket's number when they are written."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, buckets: PCollection[int]) -> PCollection[int]:
        return buckets | "Write" >> beam.ParDo(_Write(self._job)).with_output_types(int)


class _OfJob(beam.DoFn):
    """A function of a number and a job, whose failures go into the job's folder. After one nothing new is begun."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, number: int) -> Iterator[int]:
        quiet()
        self._job.storage.apply()
        if not has_failed(self._job.intermediate):
            self.work(number, self._job)
        yield number

    def work(self, number: int, job: Job) -> None:
        raise NotImplementedError


class _Extract(_OfJob):
    def work(self, number: int, job: Job) -> None:
        with noting_failure(job.intermediate):
            split = read_split(job.splits_path, number)
            try:
                count_tally(extract_split(split, job), split.size)
            except TransientError:
                raise
            except PreprocessingError as error:
                faults = faults_in(split, job.configuration.source)
                note_failures(job.intermediate, [fault for fault in faults if str(fault) != str(error)])
                raise


class _Gather(_OfJob):
    def work(self, number: int, job: Job) -> None:
        with noting_failure(job.intermediate):
            gather_partition(number, job)


class _Write(_OfJob):
    def work(self, number: int, job: Job) -> None:
        with noting_failure(job.intermediate):
            references = references_of_bucket(number, job)
            if references:
                count_examples(build_bucket(number, references, job))
