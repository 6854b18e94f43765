"""The Beam graph that parses: numbers of splits in, one file of documents each, numbers out.

Importing this module imports Beam, which takes seconds. Workers import these classes by name.
"""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from preprocessing.build.corpus.folder import ParseJob
from preprocessing.build.metrics import count_tally
from preprocessing.documents.parsed_documents import write_parsed
from preprocessing.documents.reading import faults_in, read_documents
from preprocessing.jobs.failures import has_failed, unless_failed
from preprocessing.jobs.piece_of_work import begin_work
from preprocessing.jobs.splits import read_split
from preprocessing.jobs.steps import Step
from preprocessing.sources.split import Split
from preprocessing.tally import Tally


def parse_steps(splits: int, job: ParseJob) -> list[Step]:
    """The one step of a parse. `splits` is how many there are in the job's file of splits."""
    return [Step("ParseSplits", ParseSplits(job), splits)]


class ParseSplits(beam.PTransform):
    """Every split's documents in a file of the job's folder: the split's number when they are written.

    A split that is there already is not read again. What only the user can mend is noted in the folder, and gives no
    number; from then on no split is begun.
    """

    def __init__(self, job: ParseJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, splits: PCollection[int]) -> PCollection[int]:
        return splits | "Parse" >> beam.ParDo(_Parse(self._job)).with_output_types(int)


class _Parse(beam.DoFn):
    def __init__(self, job: ParseJob) -> None:
        self._job = job

    def process(self, number: int) -> Iterator[int]:
        begin_work(self._job.storage)
        if has_failed(self._job.intermediate):  # the corpus cannot become complete: nothing new is begun
            return
        split = read_split(self._job.splits_path, number)
        tally = parse_split(split, self._job)
        if tally is not None:
            count_tally(tally, split.size)
            yield number


def parse_split(split: Split, job: ParseJob) -> Tally | None:
    """Parses one split, unless that is done: what was counted, or None when it cannot be read, which is noted.

    Raises TransientError for what may pass by itself.
    """
    done = job.read_counters(split)
    if done is not None:
        return Tally.from_json(done["tally"])
    tally = Tally()
    went_well = unless_failed(
        job.intermediate,
        lambda: write_parsed(read_documents(split, job.options, tally), job.path(split), split.key, tally),
        lambda: faults_in(split, job.options),
    )
    return tally if went_well else None
