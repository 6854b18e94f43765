"""Answers of a fine-tuned model: to new text, or to the splits of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, write_predictions
from finetuning.kinds.loading import kind_of, load_task, read_new, read_split
from finetuning.kinds.rows import Row
from finetuning.kinds.scoring import decode
from finetuning.run.checkpoint import FineTuned, load_fine_tuned
from finetuning.run.loop import predict
from finetuning.run.ranks import Ranks, start_ranks
from finetuning.run.specification import RunSpec


def answer(fine_tuned: FineTuned, rows: Sequence[Row], ranks: Ranks, spec: RunSpec) -> list[Prediction]:
    """Answers to rows of the model's task, one for each, in order."""
    task, labels = fine_tuned.task, fine_tuned.labels
    encoded = kind_of(task).encode(task, rows, fine_tuned.tokenizer, labels, fine_tuned.sequence_length)
    logits = predict(fine_tuned.model.to(ranks.device), encoded, spec, ranks)
    return decode(task, labels, rows, encoded, logits)


def answer_file(model: Path, source: Path, output: Path, spec: RunSpec | None = None) -> int:
    """Answer every row of a file and write one JSON object per row; returns the number of rows.

    The file: the task's own format, JSONL or TSV with its column names (or `text_a`, `text_b`, `words`, `question`,
    `context`, …), or `.txt` with one text per line, the two texts of a pair separated by a tab.

    `spec`: device and threads.

    Raises:
        FinetuningError: no fine-tuned model there, or the file does not fit its task.
    """
    fine_tuned = load_fine_tuned(model)
    spec = spec or RunSpec(task="", model=str(model), output=output)
    rows = read_new(fine_tuned.task, source)
    write_predictions(output, answer(fine_tuned, rows, start_ranks(spec), spec))
    return len(rows)


def answer_task(
    model: Path, name: str, data: Path | None, output: Path, spec: RunSpec | None = None
) -> dict[str, dict[str, float]]:
    """Answer the dev and test splits of a task with a model that may have been trained on another (AX by MNLI).

    Writes `predictions-SPLIT.jsonl`, the benchmark's own files, and `scores.json`; returns the scores by split.

    Raises:
        FinetuningError: the model's kind or labels are not the task's, or no split is there.
    """
    fine_tuned = load_fine_tuned(model)
    spec = spec or RunSpec(task="", model=str(model), output=output)
    task = load_task(name)
    kind = kind_of(task)
    if task.kind != fine_tuned.task.kind or (task.labels and set(task.labels) != set(fine_tuned.labels)):
        raise FinetuningError(
            f"{model}: trained on {fine_tuned.task.name} ({fine_tuned.task.kind}: {', '.join(fine_tuned.labels)}) "
            f"and cannot answer {task.name} ({task.kind}: {', '.join(task.labels)})"
        )
    scores: dict[str, dict[str, float]] = {}
    answered = False
    for split_name in (*task.dev, *task.test):
        split = read_split(task, split_name, data)
        if split is None:
            continue
        predictions = answer(fine_tuned, split.rows, start_ranks(spec), spec)
        write_predictions(output / f"predictions-{split_name}.jsonl", predictions)
        kind.write_benchmark_files(output, task, split_name, predictions)
        if split.labelled:
            scores[split_name] = kind.score(task, split.rows, predictions)
        answered = True
    if not answered:
        raise FinetuningError(f"{data}: holds no split of {task.name}; set --data to the folder that has its files")
    write_json(output / "scores.json", scores)
    return scores
