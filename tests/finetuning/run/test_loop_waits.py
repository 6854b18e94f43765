"""How often fine-tuning would make the host wait for a GPU, counted on tensors that stand for those of one."""

import pytest

from benchmarks.waits.finetuning import PARTS


@pytest.mark.parametrize("part", PARTS)
def test_a_step_never_waits_and_answers_are_fetched_once(part: str) -> None:
    waits = PARTS[part]()
    assert waits.total == (0 if part.startswith("fine-tuning step") else 1), waits.found
