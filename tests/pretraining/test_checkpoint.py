"""Checkpoints without an engine: what counts as complete, what is refused, what is kept."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from pretraining import checkpoint, random_state
from pretraining.errors import PretrainingError
from pretraining.sampler import Position
from pretraining.trainer_state import TrainerState

IDENTITY = checkpoint.Identity(
    model={"hidden_size": 32}, data="abc", population="p", optimizer="adamw", precision="fp32", stage=1, ranks=1
)


class Engine:
    """Saves and loads one number, as DeepSpeed would a model."""

    def __init__(self, value: int = 0, fail: bool = False) -> None:
        self.value, self.fail = value, fail

    def save_checkpoint(self, folder: str, tag: str, client_state: dict[str, Any], save_latest: bool) -> None:
        assert not save_latest
        target = Path(folder) / tag
        target.mkdir()
        (target / "mp_rank_00_model_states.pt").write_text(str(self.value))
        if self.fail:
            raise OSError(28, "No space left on device")

    def load_checkpoint(self, folder: str, tag: str, load_lr_scheduler_states: bool) -> tuple[str, dict[str, Any]]:
        path = Path(folder) / tag / "mp_rank_00_model_states.pt"
        self.value = int(path.read_text())
        return str(path), {}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def save(folder: Path, step: int, keep: int = 2, **changes: Any) -> Path:
    state = TrainerState(step=step, position=Position(1, 7), tokens=99)
    return checkpoint.save(Engine(step), folder, state, replace(IDENTITY, **changes), keep)


def test_comes_back(tmp_path: Path) -> None:
    saved = save(tmp_path, 5)
    engine = Engine()
    assert checkpoint.newest_complete(tmp_path) == saved
    assert checkpoint.load(engine, saved, IDENTITY) == TrainerState(step=5, position=Position(1, 7), tokens=99)
    assert engine.value == 5
    assert (tmp_path / "latest").read_text() == "step5\n"


def test_newest_are_kept(tmp_path: Path) -> None:
    for step in (2, 10, 9):
        save(tmp_path, step)
    assert sorted(path.name for path in tmp_path.glob("step*")) == ["step10", "step9"]


def test_a_failed_save_leaves_the_one_before(tmp_path: Path) -> None:
    before = save(tmp_path, 3)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(Engine(4, fail=True), tmp_path, TrainerState(step=4), IDENTITY, 2)
    assert checkpoint.newest_complete(tmp_path) == before
    assert (tmp_path / "latest").read_text() == "step3\n"
    save(tmp_path, 4)
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest"])
def test_damage_is_seen(tmp_path: Path, damage: str) -> None:
    good, bad = save(tmp_path, 1), save(tmp_path, 22)
    file = bad / "engine" / "mp_rank_00_model_states.pt"
    if damage == "truncate":
        file.write_text("2")
    elif damage == "flip":
        file.write_text("23")
    elif damage == "remove":
        file.unlink()
    else:
        (bad / "manifest.json").write_text("{")
    assert checkpoint.newest_complete(tmp_path) == good


def test_nothing_there(tmp_path: Path) -> None:
    assert checkpoint.newest_complete(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"hidden_size": 64}}, r"another model \(hidden_size 32 there, 64 here\)"),
        ({"data": "xyz"}, "trained on other shards"),
        ({"optimizer": "lamb"}, "written with optimizer adamw and this run has optimizer lamb"),
        ({"precision": "bf16"}, "written with precision fp32"),
        ({"stage": 2}, "written with stage 1"),
        ({"ranks": 2}, "written by 1 ranks and this run has 2: ZeRO stage 1 has cut the optimiser"),
    ],
)
def test_what_belongs_to_something_else_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    saved = save(tmp_path, 1)
    with pytest.raises(PretrainingError, match=message):
        checkpoint.load(Engine(), saved, replace(IDENTITY, **changes))


def test_stage_0_takes_another_number_of_ranks(tmp_path: Path) -> None:
    saved = save(tmp_path, 1, stage=0)
    assert checkpoint.load(Engine(), saved, replace(IDENTITY, stage=0, ranks=4)).step == 1


def test_another_length_starts_the_order_anew(tmp_path: Path) -> None:
    """The paper's second phase: the same run goes on with longer sequences of the same shards."""
    saved = save(tmp_path, 8)
    state = checkpoint.load(Engine(), saved, replace(IDENTITY, population="512 tokens"))
    assert state.step == 8
    assert state.position == Position()


def test_trainer_file_is_plain_data(tmp_path: Path) -> None:
    contents = json.loads((save(tmp_path, 3) / "trainer.json").read_text())
    assert contents["state"]["position"] == {"epoch": 1, "index": 7}
    assert contents["identity"]["ranks"] == 1


def test_random_states(tmp_path: Path) -> None:
    random_state.seed_rank(5, rank=3)
    torch.save(random_state.capture(), tmp_path / "random.pt")
    drawn = [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()]
    random_state.restore(torch.load(tmp_path / "random.pt", weights_only=True))
    assert [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()] == drawn


def test_ranks_have_streams_of_their_own() -> None:
    drawn = []
    for rank in range(4):
        random_state.seed_rank(5, rank)
        drawn.append(float(torch.rand(1)))
    assert len(set(drawn)) == 4
