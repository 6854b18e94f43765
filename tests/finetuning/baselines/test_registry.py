"""Every kind of task has its baseline, and one that has none is told so."""

import pytest

from finetuning.baselines.registry import LEARNERS, learner_of
from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.kinds.registry import KINDS


def test_every_kind_has_a_baseline() -> None:
    assert LEARNERS.keys() == KINDS.keys()


def test_a_kind_without_one_is_told_so() -> None:
    task = load_task("cola").model_copy(update={"kind": "dialogue"})
    with pytest.raises(FinetuningError, match="cola is a dialogue task, for which there is no bag of words"):
        learner_of(task)
