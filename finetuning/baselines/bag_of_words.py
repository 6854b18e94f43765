"""One run of the bag of words: read, learn, answer, score, and write the result last."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

from finetuning.baselines.registry import learner_of
from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.constant import above_constant, why_failed
from finetuning.kinds.scoring import check_metrics, labels_of
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.outcome import constant_of, package_versions, score_splits
from finetuning.run.remarks import data_remarks
from finetuning.run.result import BAG_OF_WORDS, Result
from finetuning.run.specification import RunSpec
from finetuning.run.splits import read_splits, task_of
from preprocessing.progress import SILENT, Progress

logger = logging.getLogger(__name__)


def specification(
    task: str,
    data: Path | None,
    output: Path,
    seed: int,
    *,
    skip_malformed: bool = False,
    limit_train: int | None = None,
    limit_dev: int | None = None,
) -> RunSpec:
    """What such a run is asked to do, in the words of a fine-tuning run; what only that has stays at its default."""
    return RunSpec(
        task=task,
        model=BAG_OF_WORDS,
        output=output,
        data=data,
        seed=seed,
        device="cpu",
        skip_malformed=skip_malformed,
        limit_train=limit_train,
        limit_dev=limit_dev,
    )


def run_bag_of_words(spec: RunSpec, progress: Progress = SILENT) -> Result:
    """Do one run and write its folder as fine-tuning does: answers, the benchmark's own files, `result.json` last.

    Raises:
        FinetuningError: wrong input, or a kind of task that has no such baseline.
    """
    began = time.perf_counter()
    task = task_of(spec)
    # No model and no tokenizer is read, whatever lies in a folder of that name.
    inputs = inputs_of(spec).model_copy(update={"tokenizer": None, "configuration": None, "weights": ()})
    check_metrics(task)
    learner = learner_of(task)
    if task.trained_by is not None:
        raise FinetuningError(f"{task.name} has no training split, so there is nothing to learn words from")
    splits = read_splits(task, spec)
    labels, notes = labels_of(task, splits)
    constant = constant_of(task, splits)
    with progress.count(f"learn {task.name}, seed {spec.seed}"):
        learnt = learner.learn(task, splits["train"].rows, labels, spec.seed)

    def predicted(name: str) -> list[Prediction]:
        return learner.answers(splits[name].rows)

    metrics, answers = score_splits(task, splits, spec, predicted, is_first=True)
    score, rows = metrics[task.metric], splits[task.dev[0]].rows
    failure = why_failed(task, rows, answers, score, constant)
    result = Result(
        baseline=BAG_OF_WORDS,
        task=task.name,
        model=BAG_OF_WORDS,
        model_fingerprint=hashlib.sha256(learner.description.encode()).hexdigest(),
        learning_rate=0.0,
        batch_size=0,
        epochs=0.0,
        seed=spec.seed,
        metric=task.metric,
        score=score,
        metrics=metrics,
        majority_score=constant.majority_score,
        constant_score=constant.score,
        failed_run=failure is not None,
        failure=failure,
        above_constant=above_constant(task, answers, constant),
        train_loss=learnt.train_loss,
        train_rows=len(splits["train"].rows),
        dev_rows=len(rows),
        train_sequences=len(splits["train"].rows),
        parameters=learnt.parameters,
        seconds=time.perf_counter() - began,
        seconds_per_epoch=learnt.seconds,
        notes=(
            learner.description,
            *(note for split in splits.values() for note in split.notes),
            *notes,
            *data_remarks(task, splits),
            *learnt.notes,
        ),
        versions=package_versions(),
        inputs=inputs,
        spec=spec,
    )
    for note in result.notes:
        logger.info("%s", note)
    result.write(spec.output)
    return result
