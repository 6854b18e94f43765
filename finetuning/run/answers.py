"""Answers of a fine-tuned model: to new text, or to the splits of a benchmark."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from finetuning.atomic_file import replacing, write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, line_of, write_predictions
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.loading import kind_of, load_task, new_in_parts, read_split
from finetuning.kinds.rows import Row
from finetuning.kinds.scoring import check_metrics, decode, notes_on_unknown
from finetuning.run.checkpoint import FineTuned, load_fine_tuned
from finetuning.run.length import log_truncation, max_length
from finetuning.run.loop import predict
from finetuning.run.ranks import Ranks, start_ranks
from finetuning.run.specification import RunSpec
from preprocessing.progress import SILENT, Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answers:
    """The answers to some rows, one for each, in order; and what of the rows the model has not seen."""

    predictions: list[Prediction]
    truncation: Truncation


@dataclass(frozen=True)
class Answering:
    """A fine-tuned model on its device, and how long a sequence may be."""

    fine_tuned: FineTuned
    ranks: Ranks
    spec: RunSpec
    length: int

    @classmethod
    def start(cls, fine_tuned: FineTuned, spec: RunSpec) -> Answering:
        """Moves the model to the device; FinetuningError where it or the length cannot be had."""
        ranks = start_ranks(spec)
        fine_tuned.model.to(ranks.device)
        positions = fine_tuned.model.encoder.config.max_position_embeddings
        length, _ = max_length(spec.sequence_length, fine_tuned.sequence_length, positions, "training")
        return cls(fine_tuned, ranks, spec, length)

    def answer(self, rows: Sequence[Row], progress: Progress = SILENT) -> Answers:
        """Answers to rows of the model's task."""
        task, labels = self.fine_tuned.task, self.fine_tuned.labels
        encoded = kind_of(task).encode(task, rows, self.fine_tuned.tokenizer, labels, self.length)
        logits = predict(self.fine_tuned.model, encoded, self.spec, self.ranks, progress)
        return Answers(decode(task, labels, rows, encoded, logits), encoded.cut.counts)


def answer_file(
    model: Path,
    source: Path,
    output: Path | None,
    spec: RunSpec | None = None,
    suffix: str | None = None,
    progress: Progress = SILENT,
) -> int:
    """Answer every row of a file and write one JSON object per row; returns the number of rows.

    The file: the task's own format, JSONL, TSV or CSV with its column names (or `text_a`, `text_b`, `words`,
    `question`, `context`, …), or `.txt` with one text per line, the two texts of a pair separated by a tab. An answer
    to a row that was cut says how many tokens it lost (`lost_tokens`). Rows are read, answered and written some
    thousand at a time (`loading.new_in_parts`).

    Args:
        model: a run with a saved model, or the model's folder.
        source: the file, or `lines.STANDARD_INPUT`.
        output: the file of the answers, there when all are; None: standard output, as they come.
        spec: device, threads and length; left out, the length is that of training.
        suffix: how the file is written, as `.csv`; None: as its name says.
        progress: shows the rows.

    Raises:
        FinetuningError: no fine-tuned model there, or the file does not fit its task.
    """
    if output is not None and output.exists() and source.exists() and output.samefile(source):
        raise FinetuningError(f"{output}: is the input too, which the answers would replace; choose another --output")
    fine_tuned = load_fine_tuned(model)
    spec = spec or RunSpec(task="", model=str(model), output=output or Path("-"), precision="fp32")
    answering = Answering.start(fine_tuned, spec)
    rows, notes = 0, tuple[str, ...]()
    truncation: Truncation | None = None
    # Of several ranks one writes; what the others make goes nowhere.
    is_first = answering.ranks.is_first
    if not is_first or (output is None and sys.stdout.isatty()):  # answers that scroll by are seen anyway
        progress = SILENT
    with (
        _lines_to(output if is_first else Path(os.devnull)) as lines,
        progress.count("answer", unit="rows") as count,
    ):
        for part in new_in_parts(fine_tuned.task, source, suffix):
            notes += part.notes
            if not part.rows:
                break
            answers = answering.answer(part.rows)
            lines.writelines(map(line_of, answers.predictions))
            lines.flush()
            truncation = answers.truncation if truncation is None else truncation + answers.truncation
            rows += len(part.rows)
            count.advance(len(part.rows))
    _say(notes + log_truncation({} if truncation is None else {source.name: truncation}))
    return rows


@contextmanager
def _lines_to(output: Path | None) -> Iterator[TextIO]:
    """A file for lines that is there when the block ends well; None: standard output, which stays open."""
    if output is None:
        yield sys.stdout
        return
    if output.is_char_device() or output.is_fifo():  # nothing to replace: /dev/null, a named pipe
        with output.open("w", encoding="utf-8") as file:
            yield file
        return
    with replacing(output) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file


def answer_task(
    model: Path,
    name: str,
    data: Path | None,
    output: Path,
    spec: RunSpec | None = None,
    progress: Progress = SILENT,
) -> dict[str, dict[str, float]]:
    """Answer the dev and test splits of a task with a model that may have been trained on another (AX by MNLI).

    Writes `predictions-SPLIT.jsonl`, the benchmark's own files, `truncation.json` (for each split what was cut), and
    `scores.json`; returns the scores by split.

    Raises:
        FinetuningError: the model's kind or labels are not the task's, its kind has no such metric, or no split is
            there.
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
    check_metrics(task)
    answering = Answering.start(fine_tuned, spec)
    scores: dict[str, dict[str, float]] = {}
    truncation: dict[str, Any] = {}
    for split_name in (*task.dev, *task.test):
        split = read_split(task, split_name, data)
        if split is None:
            continue
        unknown = notes_on_unknown(kind, split, fine_tuned.labels)
        answers = answering.answer(split.rows, progress if answering.ranks.is_first else SILENT)
        predictions, truncation[split_name] = answers.predictions, asdict(answers.truncation)
        _say(split.notes + unknown + log_truncation({split_name: answers.truncation}))
        write_predictions(output / f"predictions-{split_name}.jsonl", predictions)
        kind.write_benchmark_files(output, task, split_name, predictions)
        if split.labelled:
            scores[split_name] = kind.score(task, split.rows, predictions)
    if not truncation:
        raise FinetuningError(f"{data}: holds no split of {task.name}; set --data to the folder that has its files")
    write_json(output / "truncation.json", truncation)
    write_json(output / "scores.json", scores)
    return scores


def _say(notes: tuple[str, ...]) -> None:
    """What is remarkable, in words."""
    for note in notes:
        logger.warning("%s", note)
