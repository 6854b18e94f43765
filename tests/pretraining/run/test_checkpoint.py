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

from pretraining.data.sampler import Position
from pretraining.errors import PretrainingError
from pretraining.optimization.options import OptimizerConfig
from pretraining.run import checkpoint, random_state
from pretraining.run.trainer_state import TrainerState

OPTIMIZER = OptimizerConfig().model_dump(exclude={"learning_rate"})
IDENTITY = checkpoint.Identity(
    model={"hidden_size": 32}, data="abc", population="p", optimizer=OPTIMIZER, precision="fp32", stage=1, ranks=1
)
SEED = 5


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
    assert checkpoint.load(engine, saved, IDENTITY, SEED) == TrainerState(step=5, position=Position(1, 7), tokens=99)
    assert engine.value == 5
    assert (tmp_path / "latest").read_text() == "step5\n"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("step*"))


def test_newest_are_kept(tmp_path: Path) -> None:
    for step in (2, 9, 10):
        save(tmp_path, step)
    assert names(tmp_path) == ["step10", "step9"]


@pytest.mark.parametrize("keep", [1, 2])
def test_what_was_just_saved_is_never_pruned(tmp_path: Path, keep: int) -> None:
    """Whatever else lies there: a later number does not make another run's checkpoint the newer one."""
    for step in (4900, 5000):
        (tmp_path / f"step{step}").mkdir()
    for step in (50, 100):
        save(tmp_path, step, keep)
    assert names(tmp_path) == sorted(["step4900", "step5000", *["step50", "step100"][-keep:]])


def test_a_damaged_checkpoint_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest was damaged: the run goes on from the one before, and what it saves then is kept."""
    before, damaged = save(tmp_path, 100), save(tmp_path, 200)
    (damaged / "trainer.json").unlink()
    assert checkpoint.newest_complete(tmp_path) == before
    assert "step200 is damaged: it is now step200.damaged, and step100 is used" in capsys.readouterr().err
    assert (tmp_path / "latest").read_text() == "step100\n"
    saved = save(tmp_path, 150, keep=1)
    assert names(tmp_path) == ["step150", "step200.damaged"]
    assert checkpoint.newest_complete(tmp_path) == saved


def test_it_may_be_damaged_twice(tmp_path: Path) -> None:
    before = save(tmp_path, 1)
    for _ in range(2):
        (save(tmp_path, 2) / "trainer.json").unlink()
        assert checkpoint.newest_complete(tmp_path) == before
    assert names(tmp_path) == ["step1", "step2.damaged"]


def test_nothing_whole_is_refused(tmp_path: Path) -> None:
    """Starting at step 0 without a word would empty the metrics of a long run."""
    for step in (9, 10):
        (save(tmp_path, step) / "manifest.json").unlink()
    with pytest.raises(PretrainingError, match=r"none of step9, step10 is whole .*; restore one, choose another"):
        checkpoint.newest_complete(tmp_path)
    assert names(tmp_path) == ["step10", "step9"]


def test_a_used_folder_is_refused(tmp_path: Path) -> None:
    checkpoint.refuse_used(tmp_path / "none")
    save(tmp_path, 7)
    with pytest.raises(PretrainingError, match=r"resume is false and .* has step7; choose another output.folder"):
        checkpoint.refuse_used(tmp_path)


def test_what_killed_saves_left_goes_with_the_next(tmp_path: Path) -> None:
    for name in ("step3.tmp", "step4.removed", "step5.damaged", "stepping.tmp"):
        (tmp_path / name / "engine").mkdir(parents=True)
    save(tmp_path, 6)
    assert names(tmp_path) == ["step5.damaged", "step6", "stepping.tmp"]


def test_ranks_look_at_their_own_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 512 ranks there are a thousand files: every rank asking after each of them is half a million questions."""
    saved = save(tmp_path, 1)
    looked: list[str] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **rest: (looked.append(path.name), stat(path, **rest))[1])
    assert sorted(checkpoint._names(saved)) == [
        "engine/mp_rank_00_model_states.pt",
        "manifest.json",
        "random-00000.pt",
        "trainer.json",
    ]
    assert looked == []
    assert checkpoint._whole(saved, rank=1, ranks=2)
    assert not {"mp_rank_00_model_states.pt", "random-00000.pt"} & {*looked}
    (saved / "random-00000.pt").unlink()
    assert checkpoint._whole(saved, rank=1, ranks=2)
    assert not checkpoint._whole(saved, rank=0, ranks=2)


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
        ({"optimizer": {**OPTIMIZER, "name": "lamb"}}, r"settings in \[optimizer\] \(name adamw there, lamb here\)"),
        ({"optimizer": {**OPTIMIZER, "beta2": 0.98}}, r"\(beta2 0.999 there, 0.98 here\); set them back"),
        ({"optimizer": {**OPTIMIZER, "bias_correction": False}}, r"\(bias_correction True there, False here\)"),
        ({"precision": "bf16"}, "written with precision fp32"),
        ({"stage": 2}, "written with stage 1"),
        ({"ranks": 2}, "written by 1 ranks and this run has 2: ZeRO stage 1 has cut the optimiser"),
    ],
)
def test_what_belongs_to_something_else_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    saved = save(tmp_path, 1)
    with pytest.raises(PretrainingError, match=message):
        checkpoint.load(Engine(), saved, replace(IDENTITY, **changes), SEED)


def test_stage_0_takes_another_number_of_ranks(tmp_path: Path) -> None:
    saved = save(tmp_path, 1, stage=0)
    assert checkpoint.load(Engine(), saved, replace(IDENTITY, stage=0, ranks=4), SEED).step == 1


@pytest.mark.parametrize("step", [1, 2])
def test_new_ranks_have_streams_of_their_own(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number of ranks has no random states to take over: each starts its own, another at every step."""
    saved, drawn = save(tmp_path, step, stage=0), []
    for rank in range(4):
        monkeypatch.setattr(dist, "get_rank", lambda rank=rank: rank)
        torch.manual_seed(1)  # as the weights were drawn, alike on every rank
        checkpoint.load(Engine(), saved, replace(IDENTITY, stage=0, ranks=4), SEED)
        drawn.append(float(torch.rand(1)))
    assert len(set(drawn)) == 4
    random_state.seed_rank(SEED, 2, step)
    assert float(torch.rand(1)) == drawn[2]


def test_the_same_ranks_take_their_random_states_over(tmp_path: Path) -> None:
    saved = save(tmp_path, 1)
    drawn = float(torch.rand(1))
    checkpoint.load(Engine(), saved, IDENTITY, SEED)
    assert float(torch.rand(1)) == drawn


def test_another_version_is_refused(tmp_path: Path) -> None:
    saved = save(tmp_path, 1)
    (saved / "manifest.json").write_text('{"version": 1, "files": {}}')
    with pytest.raises(PretrainingError, match="of version 1 and this program reads version 2; finish the run"):
        checkpoint.load(Engine(), saved, IDENTITY, SEED)


def test_another_length_starts_the_order_anew(tmp_path: Path) -> None:
    """The paper's second phase: the same run goes on with longer sequences of the same shards."""
    saved = save(tmp_path, 8)
    state = checkpoint.load(Engine(), saved, replace(IDENTITY, population="512 tokens"), SEED)
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
