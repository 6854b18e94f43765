"""The Beam graph of near-duplicate removal: five steps, through which only numbers of pieces of work travel.

    SignSplits ─▶ SortBands ─▶ FindCandidates ─▶ CopyMembers ─▶ ComparePairs

Every piece writes files and is passed over where they lie.
"""

from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from preprocessing.build.metrics import count_tally
from preprocessing.documents.near_duplicates.bands import sort_bands
from preprocessing.documents.near_duplicates.candidates import find_candidates
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.documents.near_duplicates.members import write_members
from preprocessing.documents.near_duplicates.pairs import compare_pairs
from preprocessing.documents.near_duplicates.signatures import write_signatures
from preprocessing.documents.reading import faults_in
from preprocessing.jobs.failures import unless_failed
from preprocessing.jobs.piece_of_work import begin_work
from preprocessing.jobs.splits import read_split
from preprocessing.jobs.steps import Step
from preprocessing.tally import Tally


def near_duplicate_steps(job: NearDuplicateJob) -> list[Step]:
    """The steps; `job.splits_path` is there. After the last, the similar pairs lie in files."""
    return [
        Step("SignSplits", SignSplits(job), job.splits),
        Step("SortBands", LinkDocuments(job, _sort_bands), job.parts),
        Step("FindCandidates", LinkDocuments(job, find_candidates), job.ranges),
        Step("CopyMembers", LinkDocuments(job, write_members), job.parts),
        Step("ComparePairs", LinkDocuments(job, compare_pairs), job.ranges),
    ]


class SignSplits(beam.PTransform):
    """Every split's signatures, in a file: the split's number when they are written."""

    def __init__(self, job: NearDuplicateJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, splits: PCollection[int]) -> PCollection[int]:
        return splits | "Sign" >> beam.ParDo(_Sign(self._job)).with_output_types(int)


class LinkDocuments(beam.PTransform):
    """One step of linking, `work`, on every piece: the piece's number when its files are written."""

    def __init__(self, job: NearDuplicateJob, work: Callable[[int, NearDuplicateJob], None]) -> None:
        super().__init__()
        self._job = job
        self._work = work

    def expand(self, pieces: PCollection[int]) -> PCollection[int]:
        return pieces | "Link" >> beam.ParDo(_Link(self._job, self._work)).with_output_types(int)


class _Sign(beam.DoFn):
    def __init__(self, job: NearDuplicateJob) -> None:
        self._job = job

    def process(self, number: int) -> Iterator[int]:
        begin_work(self._job.storage)
        job, tally = self._job, Tally()
        split = read_split(job.splits_path, number)
        target = job.signature_path(split.key)
        if unless_failed(
            job.folder,
            lambda: write_signatures(split, job.source, job.options, target, tally),
            lambda: faults_in(split, job.source),
        ):
            count_tally(tally, split.size if tally.documents_in else 0)  # what was signed before is not counted again
            yield number


class _Link(beam.DoFn):
    def __init__(self, job: NearDuplicateJob, work: Callable[[int, NearDuplicateJob], None]) -> None:
        self._job = job
        self._work = work

    def process(self, number: int) -> Iterator[int]:
        begin_work(self._job.storage)
        if unless_failed(self._job.folder, lambda: self._work(number, self._job)):
            yield number


def _sort_bands(part: int, job: NearDuplicateJob) -> None:
    sort_bands(part, [read_split(job.splits_path, number).key for number in job.splits_in(part)], job)
