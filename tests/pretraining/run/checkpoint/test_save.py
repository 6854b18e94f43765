"""Saving: complete or absent, and never what is ruined."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors import SafetensorError

from pretraining.errors import PretrainingError, RetryablePretrainingError
from pretraining.run.checkpoint import save as saving
from pretraining.run.checkpoint.resume import newest_complete

Save = Callable[..., Path]


def test_a_failed_save_leaves_the_one_before(tmp_path: Path, save_step: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    before = save_step(tmp_path, 3)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    for name in ("save_file", "_complete"):
        with monkeypatch.context() as patch:
            patch.setattr(saving, name, full)
            with pytest.raises(RetryablePretrainingError, match="no space is left"):
                save_step(tmp_path, 4)
    assert newest_complete(tmp_path) == before
    assert (tmp_path / "latest").read_text() == "step3\n"
    assert not list(tmp_path.glob("*.tmp"))
    assert save_step(tmp_path, 4) == newest_complete(tmp_path)


def test_what_safetensors_calls_a_full_disk(tmp_path: Path, save_step: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(saving, "save_file", full)
    with pytest.raises(RetryablePretrainingError, match=r"state-00000\.safetensors: no space is left"):
        save_step(tmp_path, 4)


def test_a_disk_without_room_is_seen_before(tmp_path: Path, save_step: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(RetryablePretrainingError, match=r"a checkpoint takes 0\.00 GB and 0\.00 GB are free"):
        save_step(tmp_path, 4)
    assert not list(tmp_path.glob("step*"))


@pytest.mark.parametrize("kind", ["weight", "exp_avg", "exp_avg_sq"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_saved(
    tmp_path: Path, save_step: Save, make_engine: Any, kind: str, value: float
) -> None:
    """Good checkpoints would be pruned for it."""
    before = save_step(tmp_path, 3, keep=1)
    engine = make_engine()
    engine.train(1)
    parameter = engine.module[1].weight
    tensor = parameter.data if kind == "weight" else engine.optimizer.state[parameter][kind]
    tensor[1] = value
    with pytest.raises(PretrainingError, match=rf"after step 4 the {kind} of 1\.weight holds numbers that are not"):
        save_step(tmp_path, 4, engine, keep=1)
    assert newest_complete(tmp_path) == before
    assert sorted(path.name for path in tmp_path.glob("step*")) == ["step3"]


def test_the_same_step_again_takes_the_place(tmp_path: Path, save_step: Save, make_engine: Any) -> None:
    """After going back a step is reached a second time."""
    save_step(tmp_path, 3)
    saved = save_step(tmp_path, 3, make_engine(seed=8), tokens=7)
    assert json.loads((saved / "trainer.json").read_text())["state"]["tokens"] == 7
    assert newest_complete(tmp_path) == saved
    assert not list(tmp_path.glob("*.removed"))


def test_bytes_are_what_lies_there(tmp_path: Path, make_engine: Any, identity: Any) -> None:
    from pretraining.run.checkpoint.files import Retention
    from pretraining.run.trainer_state import TrainerState

    engine = make_engine()
    engine.train(1)
    saved = saving.save(engine, tmp_path, TrainerState(step=1), identity, Retention(1, 0, False))
    states = list(saved.path.glob("*.safetensors"))
    assert saved.bytes == sum(path.stat().st_size for path in states)
    assert saved.bytes > sum(p.numel() for p in engine.module.parameters()) * 12
    assert saved.seconds > 0
    assert torch.isfinite(engine.module[0].weight).all()
