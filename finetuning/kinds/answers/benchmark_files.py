"""Prediction files in the benchmarks' own formats: GLUE's TSV files, and SQuAD's JSON files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetuning.atomic_file import write_json, write_text
from finetuning.kinds.answers.predictions import Prediction

SUBMISSION_FOLDER = "submission"
GLUE_HEADER = "index\tprediction"


def write_glue_file(path: Path, answers: Sequence[tuple[str, str]]) -> Path:
    """Write one GLUE submission file from the ids and answers of its rows."""
    return write_text(path, "\n".join([GLUE_HEADER, *("\t".join(answer) for answer in answers)]) + "\n")


def write_squad_files(output: Path, split: str, predictions: Sequence[Prediction], *, unanswerable: bool) -> list[Path]:
    """Write what SQuAD's official scripts read; returns the files.

    `squad-SPLIT-predictions.json` (id → text), `squad-SPLIT-nbest.json` (id → texts with probabilities) and, where
    questions may be unanswerable, `squad-SPLIT-null-odds.json` (id → score of no answer minus best answer) and
    `squad-SPLIT-best-spans.json` (id → best text that is not empty): with these two the script finds the best threshold
    wherever it lies; with the predictions, which are empty where the odds are above 0, none above 0.
    """
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
    if unanswerable:
        odds = {item.id: item.null_odds for item in predictions}
        files.append(write_json(output / f"squad-{split}-null-odds.json", odds))
        spans = {item.id: item.best_span or "" for item in predictions}
        files.append(write_json(output / f"squad-{split}-best-spans.json", spans))
    return files
