"""The baseline of each kind of task: a new one is a class here, and a line."""

from __future__ import annotations

from finetuning.baselines.endings import Endings
from finetuning.baselines.learner import Learner
from finetuning.baselines.overlap import Overlap
from finetuning.baselines.texts import ClassOfTexts, LabelsOfTexts, NumberOfTexts
from finetuning.baselines.windows import Windows
from finetuning.errors import FinetuningError
from finetuning.tasks.task import Task

LEARNERS: dict[str, type[Learner]] = {
    "classification": ClassOfTexts,
    "multi_label": LabelsOfTexts,
    "regression": NumberOfTexts,
    "choice": Endings,
    "token": Windows,
    "span": Overlap,
}
"""What a task file calls a kind → its baseline."""


def learner_of(task: Task) -> Learner:
    """The baseline of a task, which has learnt nothing yet.

    Raises:
        FinetuningError: there is none for its kind.
    """
    if task.kind not in LEARNERS:
        raise FinetuningError(
            f"{task.name} is a {task.kind} task, for which there is no bag of words; there is one for "
            f"{', '.join(LEARNERS)}"
        )
    return LEARNERS[task.kind]()
