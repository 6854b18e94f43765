"""The budget, the first weights, and what the peer does not do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.transformers_pretraining.settings import Settings
from pretraining.errors import PretrainingError
from pretraining.optimization.schedules import MOST_STEPS

Maker = Callable[..., Settings]


def test_shipped_defaults(settings: Maker) -> None:
    found = settings()
    assert (found.loop, found.is_grouped, found.micro_batch_size, found.micro_batches) == ("trainer", True, 4, 2)
    assert (found.recipe.training.steps, found.recipe.schedule.kind) == (4, "linear")


def test_steps_are_the_schedules_length(settings: Maker) -> None:
    assert settings("--steps", "9").recipe.training.steps == 9


def test_seconds_alone_bound_a_run_of_seconds(settings: Maker) -> None:
    recipe = settings("--seconds", "30").recipe
    assert (recipe.schedule.kind, recipe.schedule.seconds, recipe.training.steps) == ("time", 30.0, MOST_STEPS)
    assert recipe.schedule.warmup_steps == 2


def test_first_weights(settings: Maker) -> None:
    assert settings("--init", "neighbours").recipe.init.scheme == "neighbours"
    assert settings("--init", "neighbours", "--init", "published").recipe.init.scheme == "published"
    assert settings("--init", "elsewhere").recipe.init.from_ == "elsewhere"
    assert settings("--set", "init.scheme=neighbours").recipe.init.scheme == "neighbours"


def test_the_micro_batch_of_auto_divides_the_batch(settings: Maker) -> None:
    found = settings("--set", "training.micro_batch_size=auto", "--set", "training.batch_size=100")
    assert (found.micro_batch_size, found.micro_batches) == (25, 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "optimizer.name=lamb"), r'optimizer\.name = "lamb": transformers is run without it'),
        (("--set", "optimizer.bias_correction=false"), r"optimizer\.bias_correction = false"),
        (("--set", "training.precision=fp16"), r'training\.precision = "fp16"'),
        (("--set", "training.stop_at=2"), r"training\.stop_at"),
        (("--set", "model.compile=true"), r"model\.compile = true"),
        (("--set", "model.activation_checkpointing=true"), r"model\.activation_checkpointing"),
        (("--set", "training.steps"), r"--set training\.steps: write KEY=VALUE"),
        (("--seconds", "9", "--set", "schedule.kind=constant"), r"--seconds: a rate of kind 'constant'"),
        (
            ("--steps", "9", "--set", "schedule.kind=time", "--set", "schedule.seconds=9"),
            r"--steps: the budget of .* is schedule\.seconds",
        ),
        (("--init", " "), r"--init names no folder"),
        (("--seconds", "nan"), r"schedule\.seconds"),
        (("--micro-batch-size", "3"), r"training\.batch_size 8 is not a multiple of 3"),
    ],
)
def test_what_is_refused(settings: Maker, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        settings(*words)


def test_as_long_as_a_run_is_its_seconds_of_all_starts(settings: Maker, tmp_path: Path) -> None:
    lines = ('{"step": 1, "seconds": 3.5}', '{"event": "evaluation", "seconds": 99}', '{"step": 2, "seconds": 7.25}')
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "state.json").write_text('{"status": "finished"}')
    assert settings("--as-long-as", str(tmp_path)).recipe.schedule.seconds == 7.25
    (tmp_path / "state.json").write_text('{"status": "running"}')
    with pytest.raises(PretrainingError, match=r"--as-long-as .* is no run that has finished"):
        settings("--as-long-as", str(tmp_path))
