"""Runs that started from one fine-tuned run are found and named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.reporting.gather import find_runs
from finetuning.reporting.starts import start_note, starts_of


@pytest.fixture
def write(tmp_path: Path, write_result: Callable[..., Path]) -> Callable[..., None]:
    def write(seed: int, fingerprint: str = "f", name: str = "rte-from-mnli", **spec: str) -> None:
        fields = {"seed": seed, "model_fingerprint": fingerprint * 64, "spec": spec}
        write_result(tmp_path / "sweep" / f"{seed}-{name}", task="rte", **fields)

    return write


def test_one_start_is_named(write: Callable[..., None], tmp_path: Path) -> None:
    for seed in range(3):
        write(seed, model="runs/mnli-2/model")
    runs = find_runs([tmp_path / "sweep"])
    assert starts_of(runs) == ["f" * 64] * 3
    assert start_note(runs).startswith("all 3 runs start from one fine-tuned run (runs/mnli-2), so these figures hold")


def test_of_copies_of_one_start_the_first_is_named(write: Callable[..., None], tmp_path: Path) -> None:
    for seed in range(2):
        write(seed, model=f"runs/copy-{seed}/model")
    assert "one fine-tuned run (runs/copy-0), so" in start_note(find_runs([tmp_path / "sweep"]))


def test_several_starts_are_counted(write: Callable[..., None], tmp_path: Path) -> None:
    for seed in range(4):
        write(seed, fingerprint="ab"[seed % 2])
    runs = find_runs([tmp_path / "sweep"])
    assert start_note(runs).startswith("4 runs from 2 fine-tuned runs: those of one start are not independent")


@pytest.mark.parametrize("name", ["rte", "rte-from-mnli"])
def test_a_pretrained_checkpoint_or_a_start_of_ones_own_is_no_shared_start(
    write: Callable[..., None], tmp_path: Path, name: str
) -> None:
    for seed in range(2):
        write(seed, fingerprint="f" if name == "rte" else "ab"[seed], name=name)
    runs = find_runs([tmp_path / "sweep"])
    assert (starts_of(runs) is None) == (name == "rte")
    assert start_note(runs) == ""


def test_a_start_outside_a_sweep_is_found_by_its_result(
    write: Callable[..., None], tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    mnli = write_result(tmp_path / "mnli-1", task="mnli")
    for seed in range(2):
        write(seed, name="rte", model=str(mnli / "model"))
    assert f"one fine-tuned run ({mnli})" in start_note(find_runs([tmp_path / "sweep"]))
