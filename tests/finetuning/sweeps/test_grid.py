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


def test_what_a_run_is_called_and_told(tmp_path: Path):
    sweep = config(
        tmp_path,
        tasks=("rte", "mnli"),
        start_from_mnli=("rte",),
        batch_sizes=(16,),
        epochs=(2.5,),
        seeds=(7, 9),
        learning_rates=(5e-5,),
        data="root",
        sequence_length=96,
    )
    runs = plan_runs(sweep)
    assert [(run.task, run.seed, run.seed_place, run.wave) for run in runs] == [
        ("mnli", 7, 0, 0),
        ("mnli", 9, 1, 0),
        ("rte", 7, 0, 1),
        ("rte", 9, 1, 1),
    ]
    assert [str(run.folder) for run in runs[1:3]] == [
        "a/mnli/lr5e-05-batch16-epochs2.5-seed9",
        "a/rte/lr5e-05-batch16-epochs2.5-seed7-from-mnli",
    ]
    assert runs[0].setting == runs[1].setting == ("a", "mnli", 5e-5, 16, 2.5)
    assert runs[0].options == (("save_model", True), ("sequence_length", 96))
    assert runs[2].options == (("sequence_length", 96),)
    spec = runs[2].spec(tmp_path / "out")
    told = (
        spec.task,
        spec.model,
        spec.output,
        str(spec.data),
        spec.learning_rate,
        spec.batch_size,
        spec.epochs,
        spec.seed,
    )
    assert told == ("rte", "models/a", tmp_path / "out" / runs[2].folder, "root", 5e-5, 16, 2.5, 7)
    assert (spec.sequence_length, spec.save_model) == (96, False)
    assert runs[2].spec(tmp_path, "other").model == "other"


def test_a_task_s_own_grid_goes_before_the_sweep_s(tmp_path: Path):
    override = {"learning_rates": [1e-5], "batch_sizes": [4, 8]}
    runs = plan_runs(config(tmp_path, tasks=("rte",), epochs=(3,), task={"rte": override}))
    assert [(run.learning_rate, run.batch_size, run.epochs, run.seed) for run in runs] == [
        *((1e-5, 4, 3, 1), (1e-5, 8, 3, 1)),
        *((1e-5, 4, 3, 2), (1e-5, 8, 3, 2)),
    ]
    assert runs[0].options == ()


@pytest.mark.parametrize("twice", [{"seeds": (1, 1)}, {"learning_rates": (5e-5, 5e-5)}])
def test_what_is_listed_twice_is_refused(twice: dict[str, object], tmp_path: Path):
    with pytest.raises((FinetuningError, ValueError), match="twice"):
        plan_runs(config(tmp_path, **twice))


def test_a_bad_value_of_an_option_is_named(tmp_path: Path):
    (run, *_) = plan_runs(config(tmp_path, options={"weight_decay": "much"}))
    with pytest.raises(FinetuningError, match="bad value for the option 'weight_decay' of cola: Input should be"):
        run.spec(tmp_path)
    with pytest.raises(FinetuningError, match=r"unknown option 'zzz' of a run; known options: .*weight_decay"):
        plan_runs(config(tmp_path, options={"zzz": 1}))


def test_an_option_of_a_run_goes_before_the_length_of_the_sweep(tmp_path: Path):
    override = {"options": {"sequence_length": 32}}
    runs = plan_runs(config(tmp_path, sequence_length=96, options={"dropout": 0.5}, task={"rte": override}))
    assert {run.task: run.options for run in runs} == {
        "cola": (("dropout", 0.5), ("sequence_length", 96)),
        "rte": (("dropout", 0.5), ("sequence_length", 32)),
    }


def test_mnli_keeps_its_model_only_where_something_starts_from_it(tmp_path: Path):
    (run, *_) = plan_runs(config(tmp_path, tasks=("mnli",)))
    assert (run.options, run.wave) == ((), 0)


def test_tasks_of_files_are_called_as_their_files(tmp_path: Path):
    (run, *_) = plan_runs(config(tmp_path, tasks=("x/own.toml",), task={"own": {"data": "d"}}))
    assert (run.task, run.task_name, run.data) == ("x/own.toml", "own", "d")
    assert run.folder == Path("a/own/lr5e-05-batch32-epochs3-seed1")
    assert run.setting == ("a", "own", 5e-5, 32, 3.0)
