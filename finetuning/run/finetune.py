"""One fine-tuning run: read, encode, train, score, predict, and write the result last."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

import torch

from finetuning.errors import FinetuningError
from finetuning.kinds.encoding import encode
from finetuning.kinds.heads import TaskModel
from finetuning.kinds.metrics import check_metrics
from finetuning.kinds.predictions import Prediction, decode, score
from finetuning.run.checkpoint import FineTuned, Start, load_start, save_fine_tuned, set_dropout
from finetuning.run.engine import start_ranks
from finetuning.run.loop import predict, train
from finetuning.run.outcome import majority_of, result_of, score_splits
from finetuning.run.result import Result, RunSpec
from finetuning.tasks.readers.splits import read_split
from finetuning.tasks.rows import SplitRows, TextRow, TokenRow
from finetuning.tasks.task import Task, load_task

logger = logging.getLogger(__name__)


def run(spec: RunSpec) -> Result:
    """Do one run and write its folder; `result.json` comes last, so its presence means that all is there.

    A loss that stops being finite ends training; the run is scored as it stands and marked as diverged.

    Raises:
        FinetuningError: wrong input or options.
    """
    began = time.perf_counter()
    task = load_task(spec.task)
    if spec.skip_malformed:
        task = task.model_copy(update={"malformed": "skip"})
    check_metrics(task)
    if task.trained_by is not None:
        raise FinetuningError(
            f"{task.name} has no training split: train {task.trained_by}, and answer it with finetuning.predict"
        )
    ranks = start_ranks(spec)
    splits = read_splits(task, spec)
    labels, notes = labels_of(task, splits)
    torch.manual_seed(spec.seed)
    start = load_start(spec, task)
    max_length = _max_length(task, spec, start)
    model = TaskModel(start.encoder, task.kind, len(labels))
    if spec.dropout is not None:
        set_dropout(model, spec.dropout)
    encoded = {name: encode(task, split, start.tokenizer, labels, max_length) for name, split in splits.items()}

    def predicted(name: str) -> list[Prediction]:
        return decode(task, labels, splits[name].rows, encoded[name], predict(model, encoded[name], spec, ranks))

    def dev_score() -> float:
        name = task.dev[0]
        return score(task, splits[name].rows, predicted(name))[task.metric]

    majority = majority_of(task, splits)
    trained = train(model, encoded["train"], spec, ranks, dev_score, majority)
    metrics = score_splits(task, splits, spec, predicted, is_first=ranks.is_first)
    if spec.save_model and ranks.is_first:
        save_fine_tuned(spec.output / "model", FineTuned(model, start.tokenizer, task, labels, max_length))
    result = result_of(
        spec,
        task,
        start,
        splits,
        metrics,
        trained,
        majority=majority,
        model=model,
        train_sequences=len(encoded["train"].offsets_s) - 1,
        seconds=time.perf_counter() - began,
        notes=notes,
    )
    for note in result.notes:
        logger.warning("%s", note)
    if ranks.is_first:
        result.write(spec.output)
    return result


def labels_of(task: Task, splits: dict[str, SplitRows]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes in the order of the logits, and notes on classes without training rows.

    Token tasks that name no labels take those of the training split, `O` first, the others sorted.

    Raises:
        FinetuningError: a tag is not among the labels that the task names.
    """
    if task.kind in ("regression", "span", "choice"):
        return (), ()
    seen = Counter(_labels(splits["train"]))
    labels = task.labels
    if not labels:
        labels = tuple(sorted(seen, key=lambda tag: (tag != "O", tag)))
    elif task.kind == "token":
        for split in splits.values():
            for row in split.rows:
                if isinstance(row, TokenRow) and (unknown := set(row.tags or ()) - set(labels)):
                    raise FinetuningError(
                        f"{row.place}: tag {min(unknown)!r} is unknown; {task.name} knows {', '.join(labels)}"
                    )
    notes = []
    for name in task.dev:
        for label, rows in sorted(Counter(_labels(splits[name])).items()):
            if label not in seen:
                notes.append(
                    f"label {label!r} occurs in the {name} split ({rows} times), but never in training: it can hardly "
                    "be predicted, and counts as wrong"
                )
    return labels, tuple(notes)


def _labels(split: SplitRows) -> Sequence[str]:
    tags = [tag for row in split.rows if isinstance(row, TokenRow) for tag in row.tags or ()]
    return tags + [str(row.label) for row in split.rows if isinstance(row, TextRow)]


def read_splits(task: Task, spec: RunSpec) -> dict[str, SplitRows]:
    """The training split, every split to score, and the test splits that are there and wanted."""
    splits: dict[str, SplitRows] = {}
    wanted = ("train", *task.dev, *(name for name in task.test if spec.predict_test))
    if "train" not in task.splits:
        raise FinetuningError(f"{task.name} defines no train split; add it to [splits] of {spec.task}")
    for name in wanted:
        split = read_split(task, name, spec.data, spec.limit_train if name == "train" else spec.limit_dev)
        if split is None and (name == "train" or name in task.dev):
            raise FinetuningError(f"{task.name}: its {name} split is not there; training and scoring need it")
        if split is not None:
            splits[name] = split
    return splits


def _max_length(task: Task, spec: RunSpec, start: Start) -> int:
    length = spec.max_length or task.max_length
    positions = start.encoder.config.max_position_embeddings
    if length > positions:
        raise FinetuningError(
            f"max_length {length} is more than the model's {positions} positions; pass --max-length {positions}"
        )
    return length
