"""Both loops: the rates are ours step by step, and the `Trainer` does what the plain loop does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.transformers_pretraining import plain, trainer
from benchmarks.transformers_pretraining.journal import Journal
from benchmarks.transformers_pretraining.peer import peer_model, peer_optimizer
from benchmarks.transformers_pretraining.records import Collator, Records, WholeBatches
from benchmarks.transformers_pretraining.settings import Settings
from preprocessing.shards import ShardSet
from pretraining.optimization.schedules import build_schedule
from pretraining.run.metrics import MetricsLog, read_metrics


def trained(settings: Settings, sets: list[ShardSet], folder: Path) -> tuple[list[dict[str, Any]], Any]:
    """The lines of `metrics.jsonl` and the model."""
    recipe = settings.recipe
    model, records = peer_model(recipe, sets), Records(sets, 32)
    log = MetricsLog(folder, tensorboard=False, resumed_step=0)
    schedule = build_schedule(recipe.schedule, recipe.optimizer.learning_rate, recipe.training.steps)
    journal = Journal(schedule, log, recipe.output.log_every, recipe.evaluation.every, lambda: {"all": {"loss": 1.0}})
    parts = (
        *(settings, model, peer_optimizer(model, recipe.optimizer), records),
        *(WholeBatches(records.lengths, recipe.training.batch_size, 1, grouped=settings.is_grouped),),
        *(Collator(sets, 32, dynamic=False, seed=1), journal),
    )
    if settings.loop == "plain":
        plain.train(*parts)
    else:
        trainer.train(*parts, str(folder / "scratch"))
    log.close()
    return read_metrics(folder / "metrics.jsonl"), model


def test_the_trainer_does_what_the_plain_loop_does(
    settings: Callable[..., Settings], sets: list[ShardSet], tmp_path: Path
) -> None:
    # Ten steps of 8 are more than one pass over 60 examples; clipping shows whether micro-batches are averaged.
    words = ("--steps", "10", "--set", "optimizer.learning_rate=1e-2", "--set", "training.clip_norm=0.5")
    dropout = ("--set", "model.hidden_dropout_prob=0", "--set", "model.attention_probs_dropout_prob=0")
    lines, models = {}, {}
    for loop in ("trainer", "plain"):
        of_loop = settings("--loop", loop, *words, *dropout)
        lines[loop], models[loop] = trained(of_loop, sets, tmp_path / loop)
    recipe = settings(*words).recipe
    schedule = build_schedule(recipe.schedule, 1e-2, 10)
    for found in lines.values():
        assert [line["step"] for line in found] == list(range(1, 11))
        assert [line["learning_rate"] for line in found] == [schedule.rate(step) for step in range(10)]
        assert [line["sequences"] for line in found] == [8 * step for step in range(1, 11)]
        assert found[-1]["seconds"] > found[0]["seconds"] > 0
        assert found[-1]["loss"] < found[0]["loss"]
    for one, other in zip(lines["trainer"], lines["plain"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert (one["tokens"], one["masked_tokens"]) == (other["tokens"], other["masked_tokens"])
    for one, other in zip(models["trainer"].parameters(), models["plain"].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize("loop", ["trainer", "plain"])
def test_seconds_end_a_run(settings: Callable[..., Settings], sets: list[ShardSet], tmp_path: Path, loop: str) -> None:
    # Over before the first step is: it is done all the same, and nothing after it.
    of_loop = settings("--loop", loop, "--seconds", "0.001", "--set", "output.log_every=50")
    lines, _ = trained(of_loop, sets, tmp_path)
    assert [line["step"] for line in lines] == [1]
    assert lines[0]["learning_rate"] == pytest.approx(0.5e-4)  # warm-up counts steps


def test_evaluation_stands_outside_the_clock(
    settings: Callable[..., Settings], sets: list[ShardSet], tmp_path: Path
) -> None:
    lines, _ = trained(settings("--loop", "plain", "--set", "evaluation.every=2"), sets, tmp_path)
    # Not after the last step, which is evaluated on its export.
    assert [line["step"] for line in lines if line.get("event") == "evaluation"] == [2]


def test_bfloat16_is_autocast_in_both(settings: Callable[..., Settings]) -> None:
    assert trainer.arguments_of(settings("--set", "training.precision=bf16"), "scratch").bf16
    assert not trainer.arguments_of(settings(), "scratch").bf16
