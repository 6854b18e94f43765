"""The Beam graph of the contamination report: one step, a split each, and what is found goes through files."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from preprocessing.build.metrics import count_tally
from preprocessing.documents.contamination import ContaminationJob, read_contaminated, write_contaminated
from preprocessing.documents.reading import faults_in
from preprocessing.jobs.failures import unless_failed
from preprocessing.jobs.piece_of_work import begin_work
from preprocessing.jobs.splits import read_split
from preprocessing.jobs.steps import Step


def contamination_steps(job: ContaminationJob) -> list[Step]:
    """The one step; `job.splits_path` is there."""
    return [Step("FindContaminated", FindContaminated(job), job.splits)]


class FindContaminated(beam.PTransform):
    """Every split's contaminated documents, in a file: the split's number when it is written."""

    def __init__(self, job: ContaminationJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, splits: PCollection[int]) -> PCollection[int]:
        return splits | "Compare" >> beam.ParDo(_Compare(self._job)).with_output_types(int)


class _Compare(beam.DoFn):
    def __init__(self, job: ContaminationJob) -> None:
        self._job = job

    def process(self, number: int) -> Iterator[int]:
        begin_work(self._job.storage)
        job = self._job
        split = read_split(job.splits_path, number)
        if unless_failed(job.folder, lambda: write_contaminated(split, job), lambda: faults_in(split, job.source)):
            count_tally(read_contaminated(split, job)[1], split.size)
            yield number
