"""The splits that a run reads."""

from __future__ import annotations

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import kind_of, load_task, read_split
from finetuning.kinds.rows import SplitRows
from finetuning.run.specification import RunSpec
from finetuning.tasks.task import Task


def task_of(spec: RunSpec) -> Task:
    """The task of a run, with what the run's options change in it.

    Raises:
        FinetuningError: no such task, or an option that its kind does not have.
    """
    task = load_task(spec.task)
    if spec.skip_malformed:
        task = task.model_copy(update={"malformed": "skip"})
    if spec.context is not None:
        if not kind_of(task).has_words:
            raise FinetuningError(
                f"--context {spec.context}: {task.name} is a {task.kind} task; only token tasks have it"
            )
        task = task.model_copy(update={"context": spec.context})
    return task


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
            if name == "train" or name in task.dev:
                kind_of(task).check_rows(task, split.rows)
            splits[name] = split
    return splits
