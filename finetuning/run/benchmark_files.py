"""Prediction files in the benchmarks' own formats: GLUE's TSV files, and SQuAD's JSON files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetuning.atomic_file import write_json, write_text
from finetuning.kinds.predictions import Prediction
from finetuning.tasks.task import Task

SUBMISSION_FOLDER = "submission"


def write_benchmark_files(output: Path, task: Task, split: str, predictions: Sequence[Prediction]) -> list[Path]:
    """Write what the benchmark's server or official script reads; returns the files (none for other tasks).

    GLUE: `submission/NAME.tsv` with the columns index and prediction, for splits that name such a file.
    SQuAD: `squad-SPLIT-predictions.json` (id → text), `squad-SPLIT-nbest.json` (id → texts with probabilities) and,
    for tasks with unanswerable questions, `squad-SPLIT-null-odds.json` (id → score of no answer minus best answer).
    """
    name = task.splits[split].submission
    if name is not None:
        return [write_glue(output / SUBMISSION_FOLDER / name, task, predictions)]
    if task.kind != "span":
        return []
    files = [
        write_json(output / f"squad-{split}-predictions.json", {item.id: item.prediction for item in predictions}),
        write_json(
            output / f"squad-{split}-nbest.json",
            {
                item.id: [{"text": text, "probability": share} for text, share in item.scores.items()]
                for item in predictions
            },
            indent=None,
        ),
    ]
    if task.unanswerable:
        odds = {item.id: item.null_odds for item in predictions}
        files.append(write_json(output / f"squad-{split}-null-odds.json", odds))
    return files


def write_glue(path: Path, task: Task, predictions: Sequence[Prediction]) -> Path:
    """Write one GLUE submission file; numbers are clipped to the task's range and have three decimals."""
    lines = ["index\tprediction"]
    for item in predictions:
        answer = item.prediction
        if task.kind == "regression":
            low, high = task.score_range or (float("-inf"), float("inf"))
            answer = f"{min(max(answer, low), high):.3f}"
        lines.append(f"{item.id}\t{answer}")
    return write_text(path, "\n".join(lines) + "\n")
