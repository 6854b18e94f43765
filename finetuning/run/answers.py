"""Answers of a fine-tuned model: to new text, or to the splits of a benchmark."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, write_predictions
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.loading import kind_of, load_task, read_new, read_split
from finetuning.kinds.rows import SplitRows
from finetuning.kinds.scoring import decode
from finetuning.run.checkpoint import FineTuned, load_fine_tuned
from finetuning.run.length import log_truncation, max_length
from finetuning.run.loop import predict
from finetuning.run.ranks import Ranks, start_ranks
from finetuning.run.specification import RunSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answers:
    """The answers to some rows, one for each, in order; and what of the rows the model has not seen."""

    predictions: list[Prediction]
    truncation: Truncation
    notes: tuple[str, ...]
    """What is remarkable, in words."""


def answer(fine_tuned: FineTuned, split: SplitRows, ranks: Ranks, spec: RunSpec) -> Answers:
    """Answers to rows of the model's task."""
    task, labels = fine_tuned.task, fine_tuned.labels
    positions = fine_tuned.model.encoder.config.max_position_embeddings
    length, _ = max_length(spec.sequence_length, fine_tuned.sequence_length, positions, "training")
    encoded = kind_of(task).encode(task, split.rows, fine_tuned.tokenizer, labels, length)
    notes = split.notes + log_truncation({split.name: encoded.cut.counts})
    logits = predict(fine_tuned.model.to(ranks.device), encoded, spec, ranks)
    return Answers(decode(task, labels, split.rows, encoded, logits), encoded.cut.counts, notes)


def answer_file(model: Path, source: Path, output: Path, spec: RunSpec | None = None) -> int:
    """Answer every row of a file and write one JSON object per row; returns the number of rows.

    The file: the task's own format, JSONL, TSV or CSV with its column names (or `text_a`, `text_b`, `words`,
    `question`, `context`, …), or `.txt` with one text per line, the two texts of a pair separated by a tab. An answer
    to a row that was cut says how many tokens it lost (`lost_tokens`).

    `spec`: device, threads and length; left out, the length is that of training.

    Raises:
        FinetuningError: no fine-tuned model there, or the file does not fit its task.
    """
    fine_tuned = load_fine_tuned(model)
    spec = spec or RunSpec(task="", model=str(model), output=output, precision="fp32")
    answers = answer(fine_tuned, read_new(fine_tuned.task, source), start_ranks(spec), spec)
    write_predictions(output, answers.predictions)
    _say(answers)
    return len(answers.predictions)


def answer_task(
    model: Path, name: str, data: Path | None, output: Path, spec: RunSpec | None = None
) -> dict[str, dict[str, float]]:
    """Answer the dev and test splits of a task with a model that may have been trained on another (AX by MNLI).

    Writes `predictions-SPLIT.jsonl`, the benchmark's own files, `truncation.json` (for each split what was cut), and
    `scores.json`; returns the scores by split.

    Raises:
        FinetuningError: the model's kind or labels are not the task's, or no split is there.
    """
    fine_tuned = load_fine_tuned(model)
    spec = spec or RunSpec(task="", model=str(model), output=output, precision="fp32")
    task = load_task(name)
    kind = kind_of(task)
    if task.kind != fine_tuned.task.kind or (task.labels and set(task.labels) != set(fine_tuned.labels)):
        raise FinetuningError(
            f"{model}: trained on {fine_tuned.task.name} ({fine_tuned.task.kind}: {', '.join(fine_tuned.labels)}) "
            f"and cannot answer {task.name} ({task.kind}: {', '.join(task.labels)})"
        )
    scores: dict[str, dict[str, float]] = {}
    truncation: dict[str, Any] = {}
    for split_name in (*task.dev, *task.test):
        split = read_split(task, split_name, data)
        if split is None:
            continue
        answers = answer(fine_tuned, split, start_ranks(spec), spec)
        predictions, truncation[split_name] = answers.predictions, asdict(answers.truncation)
        _say(answers)
        write_predictions(output / f"predictions-{split_name}.jsonl", predictions)
        kind.write_benchmark_files(output, task, split_name, predictions)
        if split.labelled:
            scores[split_name] = kind.score(task, split.rows, predictions)
    if not truncation:
        raise FinetuningError(f"{data}: holds no split of {task.name}; set --data to the folder that has its files")
    write_json(output / "truncation.json", truncation)
    write_json(output / "scores.json", scores)
    return scores


def _say(answers: Answers) -> None:
    for note in answers.notes:
        logger.warning("%s", note)
