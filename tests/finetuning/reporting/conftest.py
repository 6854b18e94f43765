"""Sweeps that several tests of a report read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.finetuning.reporting.finished_runs import Made, answered, polite_sweep, right_so_often


@pytest.fixture
def sweep(tmp_path: Path, write_result: Callable[..., Path]) -> Path:
    """The folder of `polite_sweep`."""
    return polite_sweep(tmp_path, write_result)


@pytest.fixture
def consistent(tmp_path: Path, write_result: Callable[..., Path]) -> Path:
    """Two rates, four seeds of SST-2 on 40 rows, whose prediction files score what the results say."""
    right = {(2e-5, seed): 30 + seed for seed in range(4)} | {(5e-5, seed): 33 - seed % 2 for seed in range(4)}
    for (rate, seed), count in right.items():
        fields: dict[str, Any] = {"learning_rate": rate, "seed": seed, "score": count / 40, "constant_score": 0.5}
        run = write_result(tmp_path / "sweep" / f"{rate}-{seed}", task="sst2", **fields)
        answered(run, *right_so_often(count, ["0", "1"] * 20))
    return tmp_path / "sweep"


@pytest.fixture
def made(tmp_path: Path, write_result: Callable[..., Path]) -> Made:
    """made(folder, model=…, **fields) → a run with predictions."""

    def make(name: str, model: str = "a", **fields: Any) -> Path:
        spec = {"model": f"models/{model}/export", **fields.pop("spec", {})}
        return answered(write_result(tmp_path / name, spec=spec, **fields))

    return make
