"""The Beam graph of a build: one linear chain, through which only references travel.

Workers import these functions by name, so they stand in a module and not in the file that is run.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from preprocessing.build.buckets import build_bucket
from preprocessing.build.configuration import Job
from preprocessing.build.extract import extract_split
from preprocessing.build.failures import has_failed, note_failures
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
        | "Splits" >> beam.Create([split.to_json() for split in splits])
        | "Spread" >> beam.Reshuffle()
        | "Extract" >> beam.FlatMap(_extract, job=job).with_output_types(tuple[int, str])
        | "Buckets" >> beam.GroupByKey()
        | "Build" >> beam.Map(_build, job=job).with_output_types(int)
    )


def _extract(split: dict[str, Any], job: Job) -> list[tuple[int, str]]:
    quiet()
    if has_failed(job.intermediate):  # the build cannot end well: nothing new is begun
        return []
    try:
        return extract_split(Split.from_json(split), job)
    except TransientError:
        raise
    except PreprocessingError as error:
        faults = faults_in(Split.from_json(split), job.configuration.source)
        note_failures(job.intermediate, [fault for fault in faults if str(fault) != str(error)] + [error])
        return []


def _build(element: tuple[int, Any], job: Job) -> int:
    quiet()
    bucket, references = element
    if not has_failed(job.intermediate):  # a bucket without all of its documents must not be built
        try:
            build_bucket(bucket, references, job)
        except TransientError:
            raise
        except PreprocessingError as error:
            note_failures(job.intermediate, [error])
    return bucket
