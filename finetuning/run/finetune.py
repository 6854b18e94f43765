"""One fine-tuning run: read, encode, train, score, predict, and write the result last."""

from __future__ import annotations

import logging
import time

import torch

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import kind_of
from finetuning.kinds.model import TaskModel
from finetuning.kinds.scoring import check_metrics, decode, labels_of
from finetuning.run.checkpoint import FineTuned, save_fine_tuned
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.length import log_truncation, max_length
from finetuning.run.loop import predict, train
from finetuning.run.model_card import describe_model
from finetuning.run.outcome import constant_of, result_of, score_splits
from finetuning.run.precision import precision_on, use_precision
from finetuning.run.ranks import start_ranks
from finetuning.run.remarks import data_remarks, training_remarks
from finetuning.run.result import Result
from finetuning.run.resume.saved_training import SavedTraining
from finetuning.run.specification import RunSpec
from finetuning.run.splits import read_splits, task_of
from finetuning.run.start import load_start, set_dropout
from preprocessing.progress import SILENT, Progress

logger = logging.getLogger(__name__)


def run(spec: RunSpec, progress: Progress = SILENT) -> Result:
    """Do one run and write its folder; `result.json` comes last, so its presence means that all is there.

    A loss that stops being finite ends training; the run is scored as it stands and marked as diverged. A run that is
    asked to end saves its training, and the same run again goes on from there, to the same result.

    Raises:
        KeyboardInterrupt: the process was asked to end.
        FinetuningError: wrong input or options.
    """
    began = time.perf_counter()
    task = task_of(spec)
    inputs = inputs_of(spec)
    check_metrics(task)
    if task.trained_by is not None:
        raise FinetuningError(
            f"{task.name} has no training split: train {task.trained_by}, and answer it with finetuning.predict"
        )
    ranks = start_ranks(spec)
    progress = progress if ranks.is_first else SILENT
    precision = precision_on(spec.precision, ranks.device)
    use_precision(precision)
    splits = read_splits(task, spec)
    labels, notes = labels_of(task, splits)
    torch.manual_seed(spec.seed)
    start = load_start(spec, task)
    positions = start.encoder.config.max_position_embeddings
    sequence_length, shorter = max_length(spec.sequence_length, task.sequence_length, positions, task.name)
    kind = kind_of(task)
    model = TaskModel(start.encoder, kind, len(labels))
    if spec.dropout is not None:
        set_dropout(model, spec.dropout)
    encoded = {
        name: kind.encode(task, split.rows, start.tokenizer, labels, sequence_length) for name, split in splits.items()
    }

    if not encoded["train"].items:
        raise FinetuningError(f"{splits['train'].rows[0].place}: no row of the train split has a token to learn from")
    cut = log_truncation({name: split.cut.counts for name, split in encoded.items()} if ranks.is_first else {})

    def answers(name: str, progress: Progress) -> list[Prediction]:
        logits = predict(model, encoded[name], spec, ranks, progress)
        return decode(task, labels, splits[name].rows, encoded[name], logits)

    def predicted(name: str) -> list[Prediction]:
        return answers(name, progress)

    def dev_score() -> float:
        name = task.dev[0]
        return kind.score(task, splits[name].rows, answers(name, SILENT))[task.metric]  # the line is that of training

    constant = constant_of(task, splits)
    saved = SavedTraining(spec, start.fingerprint, start.encoder.config, encoded["train"])
    try:
        trained = train(model, encoded["train"], spec, ranks, dev_score, constant.score, saved, progress)
        scored = score_splits(task, splits, spec, predicted, is_first=ranks.is_first)
    except KeyboardInterrupt:
        saved.save()
        raise
    if spec.save_model and ranks.is_first:
        save_fine_tuned(spec.output / "model", FineTuned(model, start.tokenizer, task, labels, sequence_length))
    result = result_of(
        spec,
        task,
        start,
        splits,
        scored,
        trained,
        constant=constant,
        model=model,
        encoded=encoded,
        seconds=time.perf_counter() - began,
        precision=precision,
        inputs=inputs,
        notes=notes + data_remarks(task, splits) + shorter + cut + training_remarks(spec, trained),
    )
    if spec.save_model and ranks.is_first:
        describe_model(spec.output / "model", task, labels, result)
    if ranks.is_first:
        logger.info("computed in %s on %s", precision, ranks.device)
        for note in result.notes:
            logger.warning("%s", note)
        result.write(spec.output)
        saved.remove()
    return result
