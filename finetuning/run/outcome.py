"""How every kind of run ends: its answers written and scored, its result put together."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import nn

from finetuning.kinds.answers.predictions import Prediction, write_predictions
from finetuning.kinds.constant import BestConstant, above_constant, best_constant, why_failed
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.loading import kind_of
from finetuning.kinds.rows import SplitRows
from finetuning.run.identity.inputs import Inputs
from finetuning.run.loop import Trained
from finetuning.run.result import Result
from finetuning.run.specification import Precision, RunSpec
from finetuning.run.start import Start
from finetuning.tasks.task import Task


def score_splits(
    task: Task,
    splits: Mapping[str, SplitRows],
    spec: RunSpec,
    predicted: Callable[[str], list[Prediction]],
    *,
    is_first: bool,
) -> tuple[dict[str, float], list[Prediction]]:
    """Answer every split but `train`; the metrics of the dev splits, as `Result.metrics` names them, and the answers
    to the main one.

    The first rank writes `predictions-SPLIT.jsonl`, and the benchmark's own files where a split was read whole.
    """
    kind = kind_of(task)
    metrics: dict[str, float] = {}
    of_main: list[Prediction] = []
    for name in (name for name in splits if name != "train"):
        answers = predicted(name)
        if is_first:
            write_predictions(spec.output / f"predictions-{name}.jsonl", answers)
            if spec.limit_dev is None:
                kind.write_benchmark_files(spec.output, task, name, answers)
        if name in task.dev:
            prefix = f"{name}/"
            if name == task.dev[0]:
                prefix, of_main = "", answers
            scores = kind.score(task, splits[name].rows, answers)
            metrics |= {f"{prefix}{key}": value for key, value in scores.items()}
    return metrics, of_main


def constant_of(task: Task, splits: Mapping[str, SplitRows]) -> BestConstant:
    """The best constant answer to the main dev split."""
    return best_constant(task, splits["train"].rows, splits[task.dev[0]].rows)


def result_of(
    spec: RunSpec,
    task: Task,
    start: Start,
    splits: Mapping[str, SplitRows],
    scored: tuple[Mapping[str, float], Sequence[Prediction]],
    trained: Trained,
    *,
    constant: BestConstant,
    model: nn.Module,
    encoded: Mapping[str, EncodedSplit],
    seconds: float,
    notes: tuple[str, ...],
    precision: Precision = "fp32",
    inputs: Inputs | None = None,
    name: str | None = None,
) -> Result:
    """The result of a run that trained `model`.

    `scored`: of `score_splits`; `name`: what the result calls the task, if not by its own name.
    """
    metrics, answers = scored
    score, rows = metrics[task.metric], splits[task.dev[0]].rows
    failure = why_failed(task, rows, answers, score, constant, diverged=trained.diverged)
    return Result(
        task=name or task.name,
        model=spec.model,
        model_fingerprint=start.fingerprint,
        learning_rate=spec.learning_rate,
        batch_size=spec.batch_size,
        epochs=spec.epochs,
        seed=spec.seed,
        metric=task.metric,
        score=score,
        metrics=dict(metrics),
        majority_score=constant.majority_score,
        constant_score=constant.score,
        failed_run=failure is not None,
        failure=failure,
        above_constant=above_constant(task, answers, constant),
        diverged=trained.diverged,
        stopped_early=trained.stopped_early,
        epoch_scores=tuple(trained.epoch_scores),
        # JSON has no NaN; `diverged` says it.
        train_loss=trained.train_loss if not trained.diverged else -1.0,
        train_rows=len(splits["train"].rows),
        dev_rows=len(splits[task.dev[0]].rows),
        train_sequences=len(encoded["train"].offsets_s) - 1,
        truncation={name: split.cut.counts for name, split in encoded.items()},
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seconds=seconds,
        seconds_per_epoch=trained.seconds_per_epoch,
        notes=tuple(note for split in splits.values() for note in split.notes) + notes + start.notes,
        versions=package_versions(),
        precision=precision,
        inputs=inputs,
        spec=spec,
    )


def package_versions() -> dict[str, str]:
    """Versions of what a score may depend on."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("bert-pretraining", "deepspeed", "tokenizers", "datasets", "scikit-learn", "scipy", "seqeval"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
