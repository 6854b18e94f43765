"""Resuming: the very state that was saved, and only of the same run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pretraining.data.sampler import PassedOver, Position
from pretraining.errors import PretrainingError
from pretraining.optimization.options import OptimizerConfig
from pretraining.run.checkpoint.identity import Identity
from pretraining.run.checkpoint.resume import load, newest_complete, take_over
from pretraining.run.trainer_state import TrainerState

Save = Callable[..., Path]
OPTIMIZERS = [
    OptimizerConfig(),
    OptimizerConfig(bias_correction=False),
    OptimizerConfig(name="lamb"),
    OptimizerConfig(name="lamb", bias_correction=False),
]


def test_state_comes_back(tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity) -> None:
    passed_over = (PassedOver(Position(0, 32), 16),)
    saved = save_step(tmp_path, 5, make_engine(skipped_steps=3), passed_over=passed_over, ledger="ab", seconds=1.5)
    engine = make_engine()
    state, changes = load(engine, saved, identity, ())
    assert state == TrainerState(
        step=5, position=Position(1, 7), tokens=99, passed_over=passed_over, ledger="ab", seconds=1.5
    )
    assert changes == {}
    assert engine.skipped_steps == 3


@pytest.mark.parametrize("options", OPTIMIZERS)
@pytest.mark.parametrize("updates", [0, 3])
def test_training_goes_on_bit_for_bit(
    tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity, options: OptimizerConfig, updates: int
) -> None:
    engine = make_engine(options)
    engine.train(updates)
    saved = save_step(tmp_path, 5, engine)
    engine.train(4)
    other = make_engine(options, seed=9)
    other.train(2)  # whatever it had learnt is forgotten
    load(other, saved, identity, ())
    other.train(4)
    for name, weight in engine.weights.items():
        assert torch.equal(weight, other.weights[name]), name


def test_moments_of_another_run_are_taken_over(
    tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity
) -> None:
    """The next phase: the optimiser goes on as if nothing was between."""
    engine = make_engine()
    engine.train(3)
    save_step(tmp_path / "checkpoints", 5, engine)
    other = make_engine(seed=9)
    take_over(other, tmp_path, replace(identity, shards="others", ranks=7))
    for one in (engine, other):
        one.train(2)
    for name, weight in engine.weights.items():
        assert torch.equal(weight, other.weights[name]), name
    with pytest.raises(PretrainingError, match="another model"):
        take_over(other, tmp_path, replace(identity, model={"hidden_size": 64}))
    with pytest.raises(PretrainingError, match=r"init.moments: .* has no checkpoint"):
        take_over(other, tmp_path / "none", identity)


def test_a_run_of_fewer_steps_is_refused(tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity) -> None:
    saved = save_step(tmp_path, 20)
    with pytest.raises(PretrainingError, match=r"training.steps is 10 and .*step20 is 20 steps on; raise"):
        load(make_engine(), saved, replace(identity, steps=10), ())


@pytest.mark.parametrize("changes", [{"population": "512 tokens"}, {"shards": "xyz"}])
def test_other_examples_start_the_order_anew(
    tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity, changes: dict[str, Any]
) -> None:
    """The paper's second phase: the same run goes on with longer sequences of the same shards."""
    saved = save_step(tmp_path, 8, passed_over=(PassedOver(Position(), 4),))
    state, _ = load(make_engine(), saved, replace(identity, **changes), ("data",))
    assert (state.step, state.position, state.passed_over) == (8, Position(), ())


def test_another_version_is_refused(tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity) -> None:
    saved = save_step(tmp_path, 1)
    (saved / "manifest.json").write_text('{"version": 2, "files": {}}')
    assert newest_complete(tmp_path) == saved
    with pytest.raises(PretrainingError, match="of version 2 and this program reads version 3; finish the run"):
        load(make_engine(), saved, identity, ())


def test_a_checkpoint_of_other_parameters_is_refused(
    tmp_path: Path, save_step: Save, make_engine: Any, identity: Identity
) -> None:
    saved = save_step(tmp_path, 1)
    engine = make_engine()
    engine.module.append(torch.nn.Linear(3, 3))
    engine.optimizer.add_param_group({"params": list(engine.module[2].parameters())})
    with pytest.raises(PretrainingError, match=r"has no parameter 2\.weight"):
        load(engine, saved, identity, ())
