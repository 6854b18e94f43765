"""Files for the benchmarks' own servers and scripts: the GLUE zip and SQuAD's prediction files.

    python -m finetuning.submission glue runs/sweep --output glue.zip [--model LABEL] [--constant WNLI=0]
    python -m finetuning.submission squad runs/sweep --output squad-files

Each task's file comes from the run with the best dev score; nothing is averaged and no test label is seen.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from finetuning.atomic_file import replacing, write_json
from finetuning.errors import FinetuningError, ended_by
from finetuning.reporting.gather import FinishedRun, best_run, find_runs
from finetuning.run.benchmark_files import SUBMISSION_FOLDER
from finetuning.tasks.task import Task, load_task, task_names

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
HEADER = "index\tprediction"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same predictions give the same bytes


def checked_glue_file(path: Path, task: Task, expected_rows: int | None) -> str:
    """The content of a GLUE file that a run wrote: a header, then index and answer, tab-separated.

    Raises FinetuningError when indices are not 0, 1, 2, …, when the number of rows is not `expected_rows`, or when an
    answer is no class of the task (no number in its range): the server would refuse or misread all of these.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != HEADER:
        raise FinetuningError(f"{path}: line 1 is not 'index<tab>prediction'; delete the run's folder and run it again")
    for number, line in enumerate(lines[1:]):
        index, _, answer = line.partition("\t")
        if index != str(number):
            raise FinetuningError(
                f"{path}: line {number + 2} has index {index!r}, not {number}; GLUE's test files count rows from 0, so "
                "run the task with GLUE's own file"
            )
        if not _is_answer(task, answer):
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
    if not _is_answer(task, answer):
        low, high = _bounds(task)
        allowed = f"a number from {low:g} to {high:g}" if task.kind == "regression" else " or ".join(task.labels)
        raise FinetuningError(f"--constant {name.removesuffix('.tsv')}={answer}: the answer must be {allowed}")
    return "\n".join([HEADER, *(f"{index}\t{answer}" for index in range(GLUE_ROWS[name]))]) + "\n"


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


def squad_files(run: FinishedRun, split: str, folder: Path) -> list[Path]:
    """Copies a run's SQuAD files under the names that the official scripts and leaderboards expect.

    predictions.json (id → text), nbest_predictions.json and, for 2.0, null_odds.json. Raises FinetuningError when the
    run did not predict the split.
    """
    names = {"predictions": "predictions.json", "nbest": "nbest_predictions.json", "null-odds": "null_odds.json"}
    if not load_task(run.result.spec.task).unanswerable:
        del names["null-odds"]
    written = []
    for kind, name in names.items():
        source = run.folder / f"squad-{split}-{kind}.json"
        if not source.is_file():
            raise FinetuningError(f"{source}: no such file; the run did not predict the whole split {split}")
        written.append(write_json(folder / name, json.loads(source.read_text(encoding="utf-8"))))
    return written


def _task_of(file: str) -> Task:
    tasks = map(load_task, task_names())
    return next(task for task in tasks if any(split.submission == file for split in task.splits.values()))


def _is_answer(task: Task, answer: str) -> bool:
    if task.kind != "regression":
        return answer in task.labels
    try:
        number = float(answer)
    except ValueError:
        return False
    low, high = _bounds(task)
    return low <= number <= high


def _bounds(task: Task) -> tuple[float, float]:
    return task.score_range or (-math.inf, math.inf)


def _one_model(runs: Sequence[FinishedRun], label: str | None) -> list[FinishedRun]:
    labels = sorted({run.label for run in runs})
    if label is None and len(labels) > 1:
        raise FinetuningError(f"runs of several models ({', '.join(labels)}): choose one with --model")
    chosen = [run for run in runs if label in (None, run.label)]
    if not chosen:
        raise FinetuningError(f"--model {label}: there are no runs of it, only of {', '.join(labels)}")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m finetuning.submission", description=__doc__.split("\n")[0])
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    for name, output in (("glue", "the zip"), ("squad", "a folder")):
        benchmark = benchmarks.add_parser(name)
        benchmark.add_argument("folders", nargs="+", type=Path, help="sweeps or single runs")
        benchmark.add_argument("--output", type=Path, required=True, help=output)
        benchmark.add_argument("--model", help="label of the model, where the runs are of several")
        if name == "glue":
            benchmark.add_argument("--constant", action="append", default=[], metavar="NAME=ANSWER")
            benchmark.add_argument("--any-size", action="store_true", help="accept test sets of another size")
            benchmark.add_argument("--allow-missing", action="store_true", help="write an incomplete zip")
        else:
            benchmark.add_argument("--split", default="dev")
            benchmark.add_argument("--task", choices=("squad1", "squad2"), help="where there are runs of both")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        runs = _one_model(find_runs(arguments.folders), arguments.model)
        if arguments.benchmark == "glue":
            constants = {}
            for item in arguments.constant:
                name, sign, answer = item.partition("=")
                if not sign:
                    raise FinetuningError(f"--constant {item}: write NAME=ANSWER, for instance WNLI=0")
                constants[name] = answer
            files = glue_submission(runs, constants, any_size=arguments.any_size, allow_missing=arguments.allow_missing)
            print(f"{write_zip(arguments.output, files)}: {', '.join(files)}")
            return 0
        tasks = [arguments.task] if arguments.task else ["squad1", "squad2"]
        spans = [run for run in runs if run.result.task in tasks]
        found = sorted({run.result.task for run in spans})
        if len(found) != 1:
            problem = (
                f"runs of {' and '.join(found)}: choose one with --task" if found else f"no run of {' or '.join(tasks)}"
            )
            raise FinetuningError(f"{problem} below {', '.join(map(str, arguments.folders))}")
        for path in squad_files(best_run(spans), arguments.split, arguments.output):
            print(path)
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.submission")
    return 0


if __name__ == "__main__":
    sys.exit(main())
