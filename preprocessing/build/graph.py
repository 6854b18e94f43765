"""The Beam graph of a build: one linear chain, through which only the numbers of splits, partitions and buckets travel.

    ExtractSplits ─▶ GatherPartitions (a large build only) ─▶ WriteShards

Three composite transforms, of parts that every runner does right; bulk goes through files. Each step begins when the
one before it is done, which a GroupByKey sees to. Workers import these classes by name, so they stand in a module and
not in the file that is run.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from preprocessing.build.buckets import build_bucket
from preprocessing.build.configuration import Job
from preprocessing.build.extract import extract_split
from preprocessing.build.failures import has_failed, note_failures, noting_failure
from preprocessing.build.gather import gather_partition
from preprocessing.build.metrics import count_examples, count_tally
from preprocessing.build.references import references_of_bucket, share_of
from preprocessing.build.runners import quiet
from preprocessing.build.splits import read_split
from preprocessing.documents.reading import faults_in
from preprocessing.errors import PreprocessingError, TransientError


def add_graph(pipeline: beam.Pipeline, splits: int, job: Job) -> PCollection[int]:
    """The numbers of all buckets, when their shards are written. `splits` are in the job's file of splits."""
    dealt = pipeline | "ExtractSplits" >> ExtractSplits(splits, job)
    if not job.partitions.direct:
        dealt = dealt | "GatherPartitions" >> GatherPartitions(job)
    return dealt | "WriteShards" >> WriteShards(job)


class ExtractSplits(beam.PTransform):
    """Every split's documents as tokens, dealt to partitions, in files: (partition, split), each partition once."""

    def __init__(self, splits: int, job: Job) -> None:
        super().__init__()
        self._splits = splits
        self._job = job

    def expand(self, start: PBegin) -> PCollection[tuple[int, int]]:
        return (
            start
            | "Splits" >> beam.Create(range(self._splits), reshuffle=False).with_output_types(int)
            | "Spread" >> beam.Reshuffle()
            | "Extract" >> beam.ParDo(_Extract(self._splits, self._job)).with_output_types(tuple[int, int])
        )


class GatherPartitions(beam.PTransform):
    """Every partition's documents, dealt to its buckets, in files: (bucket, partition), each bucket once."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, partitions: PCollection[tuple[int, int]]) -> PCollection[tuple[int, int]]:
        return (
            partitions
            | "Partitions" >> beam.GroupByKey()
            | "Gather" >> beam.ParDo(_Gather(self._job)).with_output_types(tuple[int, int])
        )


class WriteShards(beam.PTransform):
    """Every bucket's shards: the bucket's number when they are complete."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def expand(self, buckets: PCollection[tuple[int, int]]) -> PCollection[int]:
        return (
            buckets | "Buckets" >> beam.GroupByKey() | "Write" >> beam.ParDo(_Write(self._job)).with_output_types(int)
        )


class _Extract(beam.DoFn):
    def __init__(self, splits: int, job: Job) -> None:
        self._splits = splits
        self._job = job

    def process(self, number: int) -> Iterator[tuple[int, int]]:
        quiet()
        job = self._job
        if has_failed(job.intermediate):  # the build cannot end well: nothing new is begun
            return
        split = read_split(job.splits_path, number)
        try:
            tally = extract_split(split, job)
        except TransientError:
            raise
        except PreprocessingError as error:
            faults = faults_in(split, job.configuration.source)
            note_failures(job.intermediate, [fault for fault in faults if str(fault) != str(error)] + [error])
            return
        count_tally(tally, split.size)
        for partition in share_of(number, self._splits, job.partitions.count):
            yield partition, number


class _Gather(beam.DoFn):
    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, element: tuple[int, Iterable[int]]) -> Iterator[tuple[int, int]]:
        quiet()
        job = self._job
        partition, _ = element
        if not has_failed(job.intermediate):  # a partition without all of its documents must not be made
            with noting_failure(job.intermediate):
                gather_partition(partition, job)
            for bucket in job.partitions.buckets_of(partition):
                yield bucket, partition


class _Write(beam.DoFn):
    def __init__(self, job: Job) -> None:
        self._job = job

    def process(self, element: tuple[int, Iterable[int]]) -> Iterator[int]:
        quiet()
        job = self._job
        bucket, _ = element
        if not has_failed(job.intermediate):
            with noting_failure(job.intermediate):
                references = references_of_bucket(bucket, job)
                if references:
                    count_examples(build_bucket(bucket, references, job))
        yield bucket
