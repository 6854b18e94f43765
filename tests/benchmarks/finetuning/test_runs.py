"""A run leaves its outcome, and a second start takes it, or says why not."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.finetuning import ours, runs
from benchmarks.finetuning.clock import Clock
from benchmarks.finetuning.plan import Plan
from finetuning.errors import FinetuningError


@pytest.mark.parametrize("name", ["cola", "stsb", "conll2000", "squad1"])
@pytest.mark.parametrize("side", runs.SIDES)
def test_a_run_leaves_its_outcome(name: str, side: str, planned: Callable[..., Plan]) -> None:
    run = next(run for run in planned(name, seeds=1).runs if run.side == side)
    assert runs.outcome(run) is None
    runs.do(run)
    left = runs.outcome(run)
    assert left is not None
    assert -1 <= left["score"] <= 1
    assert left["seconds"] > 0
    assert left["processor_seconds"] > 0
    assert left["threads"] == 1


def test_only_training_is_timed(planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    during = []

    def trained(*arguments: object, **options: object) -> None:
        during.append(clock.seconds)
        raise FinetuningError("stop here")

    clock = Clock()
    monkeypatch.setattr(ours.finetune, "train", trained)
    with pytest.raises(FinetuningError, match="stop here"):
        ours.ours(
            planned("cola").runs[0].spec.model_copy(update={"output": planned("cola").runs[0].file.parent}), clock
        )
    assert during == [0.0]
    assert clock.seconds > 0
    assert ours.finetune.train is trained  # the original is back


def test_an_outcome_of_other_settings_is_not_taken(planned: Callable[..., Plan]) -> None:
    run = planned("cola").runs[0]
    content = {"settings": run.settings, "score": 0.5, "seconds": 1.0, "processor_seconds": 1.0}
    run.file.write_text(json.dumps(content))
    assert runs.outcome(run) == content
    other = replace(run, spec=run.spec.model_copy(update={"learning_rate": 1e-3}))
    with pytest.raises(FinetuningError, match=r"was made with learning_rate 0\.0002, not 0\.001"):
        runs.outcome(other)
    with pytest.raises(FinetuningError, match="was made with data_sha256"):
        runs.outcome(replace(run, data_sha256="0"))
    run.file.write_text("{")
    with pytest.raises(FinetuningError, match="damaged"):
        runs.outcome(run)


def test_what_is_done_is_not_done_again(planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    todo = planned("cola", seeds=1).runs
    for run in todo:
        run.file.write_text(json.dumps({"settings": run.settings, "score": 0.5}))
    monkeypatch.setattr(runs.multiprocessing, "get_context", lambda _: None)  # no process can be started
    runs.execute(todo, 1, lambda run: pytest.fail("reported again"))
