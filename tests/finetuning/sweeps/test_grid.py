"""The table of runs."""

from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs


def config(output: Path, **changes: object) -> SweepConfig:
    values = {"models": {"a": "models/a"}, "tasks": ("cola", "rte"), "output": str(output), "seeds": (1, 2)}
    return SweepConfig.model_validate(values | {"learning_rates": (5e-5, 2e-5)} | changes)


def test_the_table_has_every_combination_once_and_first_seeds_first(tmp_path: Path):
    runs = plan_runs(config(tmp_path, batch_sizes=(16, 32), models={"a": "x", "b": "y"}))
    assert len(runs) == 2 * 2 * 2 * 2 * 2
    assert len({run.folder for run in runs}) == len(runs)
    assert [run.seed for run in runs] == [1] * 16 + [2] * 16
    assert runs == plan_runs(config(tmp_path, batch_sizes=(16, 32), models={"a": "x", "b": "y"}))


def test_a_task_can_have_its_own_grid_data_and_options(tmp_path: Path):
    override = {"epochs": [10], "seeds": [7], "data": "elsewhere", "options": {"sequence-length": 64}}
    runs = plan_runs(
        config(tmp_path, data="root", options={"sequence_length": 128, "weight_decay": 0}, task={"rte": override})
    )
    rte = [run.spec(tmp_path) for run in runs if run.task == "rte"]
    cola = [run.spec(tmp_path) for run in runs if run.task == "cola"]
    assert {(spec.epochs, spec.seed, str(spec.data), spec.sequence_length) for spec in rte} == {
        (10, 7, "elsewhere", 64)
    }
    assert {(spec.epochs, spec.seed, str(spec.data), spec.sequence_length) for spec in cola} == {
        (3, seed, "root", 128) for seed in (1, 2)
    }
    assert all(spec.weight_decay == 0 for spec in rte + cola)


def test_an_unknown_option_of_a_run_names_the_nearest(tmp_path: Path):
    with pytest.raises(FinetuningError, match="did you mean 'sequence_length'"):
        plan_runs(config(tmp_path, options={"sequence_lenght": 3}))
    with pytest.raises(FinetuningError, match="unknown option 'seed'"):  # the grid's own
        plan_runs(config(tmp_path, options={"seed": 3}))
