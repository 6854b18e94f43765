"""What waits for what in a sweep."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.stages import kept_settings, split_stages, starting_model, unfinished_sources


def config(output: Path, **changes: object) -> SweepConfig:
    values = {"models": {"a": "models/a"}, "tasks": ("cola", "rte"), "output": str(output), "seeds": (1, 2)}
    return SweepConfig.model_validate(values | {"learning_rates": (5e-5, 2e-5)} | changes)


def test_only_the_best_settings_go_on_after_the_first_seeds(tmp_path: Path, write_result: Callable[..., Path]):
    sweep = config(tmp_path, tasks=("cola",), seeds=(1, 2, 3), first_seeds=2, keep_settings=1)
    runs = plan_runs(sweep)
    first, later = split_stages(runs, sweep)
    assert [len(first), len(later)] == [4, 2]
    assert kept_settings(later[0], runs, sweep) == ([], first)
    for run, score in zip(first, [0.5, 0.7, 0.6, 0.45], strict=True):  # means: 5e-5 0.55, 2e-5 0.575
        write_result(tmp_path / run.folder, score=score)
    settings, unfinished = kept_settings(later[0], runs, sweep)
    assert not unfinished
    assert [setting[2] for setting in settings] == [2e-5]


def test_runs_from_mnli_start_from_its_best_run_with_weights(tmp_path: Path, write_result: Callable[..., Path]):
    sweep = config(tmp_path, tasks=("rte", "mnli"), start_from_mnli=("rte",))
    runs = plan_runs(sweep)
    mnli = [run for run in runs if run.task == "mnli"]
    (rte, *_) = (run for run in runs if run.task == "rte")
    assert split_stages(runs, sweep)[0] == mnli
    assert all(run.spec(tmp_path).save_model for run in mnli)
    assert unfinished_sources(rte, runs, sweep) == mnli
    with pytest.raises(FinetuningError, match="no MNLI run of a"):
        starting_model(rte, runs, sweep)
    for run, score in zip(mnli, [0.7, 0.9, 0.8, 0.6], strict=True):
        folder = write_result(tmp_path / run.folder, task="mnli", score=score)
        if score < 0.9:  # the best one kept no weights
            (folder / "model").mkdir()
    assert unfinished_sources(rte, runs, sweep) == []
    assert starting_model(rte, runs, sweep) == str(tmp_path / mnli[2].folder / "model")
    assert rte.folder.name.endswith("-from-mnli")
