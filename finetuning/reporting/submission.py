"""Files for the benchmarks' own servers and scripts: the GLUE zip and SQuAD's prediction files.

Each task's file comes from the run with the best dev score; nothing is averaged and no test label is seen.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetuning.atomic_file import replacing, write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.answers.benchmark_files import GLUE_HEADER, SUBMISSION_FOLDER
from finetuning.kinds.answers.predictions import answers_at
from finetuning.kinds.loading import kind_of, load_task
from finetuning.reporting.gather import FinishedRun, best_run
from finetuning.tasks.task import Task, task_names

GLUE_ROWS = {
    "CoLA.tsv": 1063,
    "SST-2.tsv": 1821,
    "MRPC.tsv": 1725,
    "STS-B.tsv": 1379,
    "QQP.tsv": 390965,
    "MNLI-m.tsv": 9796,
    "MNLI-mm.tsv": 9847,
    "QNLI.tsv": 5463,
    "RTE.tsv": 3000,
    "WNLI.tsv": 146,
    "AX.tsv": 1104,
}
"""The files that the server wants, all of them, and the rows of each test set (Wang et al. 2019, GLUE)."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same predictions give the same bytes


def checked_glue_file(path: Path, task: Task, expected_rows: int | None) -> str:
    """The content of a GLUE file that a run wrote: a header, then index and answer, tab-separated.

    Raises FinetuningError when indices are not 0, 1, 2, …, when the number of rows is not `expected_rows`, or when an
    answer is no class of the task (no number in its range): the server would refuse or misread all of these.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != GLUE_HEADER:
        raise FinetuningError(f"{path}: line 1 is not 'index<tab>prediction'; delete the run's folder and run it again")
    for number, line in enumerate(lines[1:]):
        index, _, answer = line.partition("\t")
        if index != str(number):
            raise FinetuningError(
                f"{path}: line {number + 2} has index {index!r}, not {number}; GLUE's test files count rows from 0, so "
                "run the task with GLUE's own file"
            )
        if not kind_of(task).is_answer(task, answer):
            raise FinetuningError(f"{path}: line {number + 2}: {answer!r} is no answer of {task.name}; run it again")
    if expected_rows is not None and len(lines) - 1 != expected_rows:
        raise FinetuningError(
            f"{path}: {len(lines) - 1} rows, GLUE's test set has {expected_rows}; run the task with the whole file, or "
            "say --any-size for a set of your own"
        )
    return "\n".join(lines) + "\n"


def constant_file(name: str, answer: str) -> str:
    """A file that gives every row the same answer: for a task that was not run, as the paper did for WNLI.

    Raises FinetuningError when it is no answer of that task.
    """
    task = _task_of(name)
    kind = kind_of(task)
    if not kind.is_answer(task, answer):
        allowed = kind.allowed(task)
        raise FinetuningError(f"--constant {name.removesuffix('.tsv')}={answer}: the answer must be {allowed}")
    return "\n".join([GLUE_HEADER, *(f"{index}\t{answer}" for index in range(GLUE_ROWS[name]))]) + "\n"


def glue_submission(
    runs: Sequence[FinishedRun], constants: Mapping[str, str], *, any_size: bool = False, allow_missing: bool = False
) -> dict[str, str]:
    """File name → content for all of GLUE. FinetuningError names the files that no run can fill."""
    files: dict[str, str] = {}
    for name in sorted({run.result.task for run in runs}):
        chosen = best_run([run for run in runs if run.result.task == name])
        task = load_task(chosen.result.spec.task)
        for split_name in task.test:
            file = task.splits[split_name].submission
            path = chosen.folder / SUBMISSION_FOLDER / str(file)
            if file in GLUE_ROWS and path.is_file():  # a test set that the data lacked is told below
                files[file] = checked_glue_file(path, task, None if any_size else GLUE_ROWS[file])
    for task_file, answer in constants.items():
        file = f"{task_file.removesuffix('.tsv')}.tsv"
        if file not in GLUE_ROWS:
            raise FinetuningError(f"--constant {task_file}: GLUE has no such file; it has {', '.join(GLUE_ROWS)}")
        files.setdefault(file, constant_file(file, answer))
    missing = [file for file in GLUE_ROWS if file not in files]
    if missing and not allow_missing:
        raise FinetuningError(
            f"no test predictions for {', '.join(missing)}: run these tasks with their test files, give "
            "--constant NAME=ANSWER, or say --allow-missing (the server refuses an incomplete zip)"
        )
    return {file: files[file] for file in GLUE_ROWS if file in files}


def write_zip(path: Path, files: Mapping[str, str]) -> Path:
    """Writes the files to the root of a zip, under a temporary name first; equal contents give equal bytes."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), content, compress_type=zipfile.ZIP_DEFLATED)
    return path


BEST = "best_f1_threshold"


def squad_files(run: FinishedRun, split: str, folder: Path, threshold: str | None = None) -> list[Path]:
    """Copies a run's SQuAD files under the names that the official scripts and leaderboards expect.

    predictions.json (id → text), nbest_predictions.json and, for 2.0, null_odds.json. With a threshold (a number, or
    `best`: the run's own for F1 on its dev split) the answers are those of it. Raises FinetuningError when the run did
    not predict the split, or has no such threshold.
    """
    names = {"predictions": "predictions.json", "nbest": "nbest_predictions.json", "null-odds": "null_odds.json"}
    if not load_task(run.result.spec.task).unanswerable:
        del names["null-odds"]
    written = []
    for kind, name in names.items():
        source = run.folder / f"squad-{split}-{kind}.json"
        if not source.is_file():
            raise FinetuningError(f"{source}: no such file; the run did not predict the whole split {split}")
        content = json.loads(source.read_text(encoding="utf-8"))
        if kind == "predictions" and threshold is not None:
            content = _answers_at(run, split, threshold)
        written.append(write_json(folder / name, content))
    return written


def _answers_at(run: FinishedRun, split: str, threshold: str) -> dict[str, str]:
    """The answers to a split with another null threshold than 0."""
    spans, odds = (run.folder / f"squad-{split}-{name}.json" for name in ("best-spans", "null-odds"))
    if not spans.is_file() or not odds.is_file():
        raise FinetuningError(f"{spans}: no such file; a null threshold needs a run of SQuAD 2.0 of this version")
    if threshold == "best" and BEST not in run.result.metrics:
        raise FinetuningError(f"{run.folder}: its result has no {BEST}; give --null-threshold a number")
    try:
        value = run.result.metrics[BEST] if threshold == "best" else float(threshold)
        if math.isnan(value):
            raise ValueError
    except ValueError:
        raise FinetuningError(f"--null-threshold {threshold}: write a number, or best") from None
    return answers_at(
        value, json.loads(spans.read_text(encoding="utf-8")), json.loads(odds.read_text(encoding="utf-8"))
    )


def _task_of(file: str) -> Task:
    tasks = map(load_task, task_names())
    return next(task for task in tasks if any(split.submission == file for split in task.splits.values()))


def one_model(runs: Sequence[FinishedRun], label: str | None) -> list[FinishedRun]:
    """The runs of the model with this label, or of the only one."""
    if label is None:  # a baseline lies beside models to be compared with them
        runs = [run for run in runs if run.result.baseline is None] or runs
    labels = sorted({run.label for run in runs})
    if label is None and len(labels) > 1:
        raise FinetuningError(f"runs of several models ({', '.join(labels)}): choose one with --model")
    chosen = [run for run in runs if label in (None, run.label)]
    if not chosen:
        raise FinetuningError(f"--model {label}: there are no runs of it, only of {', '.join(labels)}")
    return chosen


def one_task(runs: Sequence[FinishedRun], names: Sequence[str], folders: Sequence[Path]) -> list[FinishedRun]:
    """The runs of the only one of these tasks that has any."""
    chosen = [run for run in runs if run.result.task in names]
    found = sorted({run.result.task for run in chosen})
    if len(found) != 1:
        problem = (
            f"runs of {' and '.join(found)}: choose one with --task" if found else f"no run of {' or '.join(names)}"
        )
        raise FinetuningError(f"{problem} below {', '.join(map(str, folders))}")
    return chosen
