"""The Beam graph of a build: one linear chain, through which only splits and the numbers of buckets travel.

Workers import these functions by name, so they stand in a module and not in the file that is run.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from preprocessing.build.buckets import build_bucket
from preprocessing.build.configuration import Job
from preprocessing.build.extract import extract_split
from preprocessing.build.failures import has_failed, note_failures, noting_failure
from preprocessing.build.references import keys_of_split, references_of
from preprocessing.build.runners import quiet
from preprocessing.documents.reading import faults_in
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.split import Split

if TYPE_CHECKING:
    import apache_beam as beam


def add_graph(pipeline: "beam.Pipeline", splits: Sequence[Split], job: Job) -> None:
    """One linear chain with one leaf, of transforms that every runner does right."""
    import apache_beam as beam  # late: see runners.py

    _ = (
        pipeline
        | "Splits" >> beam.Create([(number, split.to_json()) for number, split in enumerate(splits)])
        | "Spread" >> beam.Reshuffle()
        | "Extract" >> beam.FlatMap(_extract, splits=len(splits), job=job).with_output_types(tuple[int, int])
        | "Buckets" >> beam.GroupByKey()
        | "Build" >> beam.Map(_build, job=job).with_output_types(int)
    )


def _extract(element: tuple[int, dict[str, Any]], splits: int, job: Job) -> list[tuple[int, int]]:
    """(bucket, number of the split) for the buckets that this split names."""
    quiet()
    number, data = element
    split = Split.from_json(data)
    if has_failed(job.intermediate):  # the build cannot end well: nothing new is begun
        return []
    try:
        extract_split(split, job)
    except TransientError:
        raise
    except PreprocessingError as error:
        faults = faults_in(split, job.configuration.source)
        note_failures(job.intermediate, [fault for fault in faults if str(fault) != str(error)] + [error])
        return []
    return [(bucket, number) for bucket in keys_of_split(number, splits, job.configuration.buckets)]


def _build(element: tuple[int, Any], job: Job) -> int:
    quiet()
    bucket, _ = element
    if not has_failed(job.intermediate):  # a bucket without all of its documents must not be built
        with noting_failure(job.intermediate):
            references = references_of(bucket, job)
            if references:
                build_bucket(bucket, references, job)
    return bucket
