"""What waits for what in a sweep."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.stages import (
    first_runs,
    is_later_seed,
    is_ruled_out,
    kept_settings,
    split_stages,
    stage_name,
    starting_model,
    unfinished_sources,
    waiting_for,
)


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


def test_runs_from_mnli_start_from_its_best_run_and_from_no_other_where_that_has_no_weights(
    tmp_path: Path, write_result: Callable[..., Path]
):
    sweep = config(tmp_path, tasks=("rte", "mnli"), start_from_mnli=("rte",))
    runs = plan_runs(sweep)
    mnli = [run for run in runs if run.task == "mnli"]
    (rte, *_) = (run for run in runs if run.task == "rte")
    assert split_stages(runs, sweep)[0] == mnli
    assert all(run.spec(tmp_path).save_model for run in mnli)
    assert unfinished_sources(rte, runs, sweep) == mnli
    with pytest.raises(FinetuningError, match="no MNLI run of a"):
        starting_model(rte, runs, sweep)
    for run, score in zip(mnli, [0.7, 0.9, 0.9, 0.6], strict=True):
        folder = write_result(tmp_path / run.folder, task="mnli", score=score)
        if run != mnli[1]:
            (folder / "model").mkdir()
    assert unfinished_sources(rte, runs, sweep) == []
    with pytest.raises(FinetuningError, match=f"{mnli[1].folder}, which has no model in it: --again makes this run"):
        starting_model(rte, runs, sweep)
    (tmp_path / mnli[1].folder / "model").mkdir()
    assert starting_model(rte, runs, sweep) == str(tmp_path / mnli[1].folder / "model")
    assert rte.folder.name.endswith("-from-mnli")


def test_runs_may_start_from_the_best_mnli_run_of_their_own_seed(tmp_path: Path, write_result: Callable[..., Path]):
    sweep = config(tmp_path, tasks=("rte", "mnli"), start_from_mnli=("rte",), mnli_run="same seed")
    runs = plan_runs(sweep)
    mnli = [run for run in runs if run.task == "mnli"]
    first, second = (next(run for run in runs if run.task == "rte" and run.seed == seed) for seed in (1, 2))
    for run, score in zip(mnli, [0.7, 0.9, 0.8, 0.6], strict=True):  # two rates of seed 1, then of seed 2
        folder = write_result(tmp_path / run.folder, task="mnli", score=score)
        if run.seed == 1:
            (folder / "model").mkdir()
    assert starting_model(first, runs, sweep) == str(tmp_path / mnli[1].folder / "model")
    with pytest.raises(FinetuningError, match=r"lr.*-seed2, which has no model in it"):
        starting_model(second, runs, sweep)
    (tmp_path / mnli[2].folder / "model").mkdir()
    assert starting_model(second, runs, sweep) == str(tmp_path / mnli[2].folder / "model")


def test_stages_come_in_the_order_of_what_waits(tmp_path: Path):
    sweep = config(
        tmp_path, tasks=("rte", "mnli"), start_from_mnli=("rte",), seeds=(1, 2, 3), first_seeds=1, keep_settings=1
    )
    runs = plan_runs(sweep)
    stages = split_stages(list(reversed(runs)), sweep)
    assert [stage_name(stage[0], sweep) for stage in stages] == [
        *("runs", "further-seeds", "from-mnli", "from-mnli-further-seeds"),
    ]
    assert [len(stage) for stage in stages] == [2, 4, 2, 4]
    for stage in stages:
        assert len({(run.task, is_later_seed(run, sweep)) for run in stage}) == 1
    plain = config(tmp_path)
    assert not any(is_later_seed(run, plain) for run in plan_runs(plain))
    assert [stage_name(run, plain) for run in plan_runs(plain)[:1]] == ["runs"]


def test_a_setting_is_ruled_out_only_by_first_seeds_that_are_over(
    tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    sweep = config(
        tmp_path,
        tasks=("cola", "rte"),
        models={"a": "models/a", "b": "models/b"},
        seeds=(1, 2),
        first_seeds=1,
        keep_settings=1,
    )
    runs = plan_runs(sweep)
    of_cola = [run for run in runs if (run.model_label, run.task) == ("a", "cola")]
    first, later = of_cola[:2], of_cola[2:]
    assert first_runs(later[0], runs, sweep) == first
    assert waiting_for(later[0], runs, sweep) == first
    assert waiting_for(first[0], runs, sweep) == []
    assert not any(is_ruled_out(run, runs, sweep) for run in of_cola)
    write_result(tmp_path / first[0].folder, score=0.5)
    assert waiting_for(later[0], runs, sweep) == first[1:]
    assert not any(is_ruled_out(run, runs, sweep) for run in of_cola)
    given_up: list[Path] = []
    monkeypatch.setattr("finetuning.sweeps.stages.gave_up", lambda output, run: output / run.folder in given_up)
    given_up.append(tmp_path / first[1].folder)
    assert waiting_for(later[0], runs, sweep) == []
    assert [is_ruled_out(run, runs, sweep) for run in of_cola] == [False, False, False, True]
    write_result(tmp_path / first[1].folder, score=0.5)
    kept, _ = kept_settings(later[0], runs, sweep)
    assert kept == [first[0].setting], "of equal means the first in the sweep"
    write_result(tmp_path / first[1].folder, score=0.6)
    assert kept_settings(later[0], runs, sweep)[0] == [first[1].setting]


def test_a_run_from_mnli_waits_for_all_of_it_that_goes_on(
    tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    sweep = config(
        tmp_path,
        tasks=("rte", "mnli"),
        models={"a": "models/a", "b": "models/b"},
        start_from_mnli=("rte",),
        seeds=(1, 2),
        first_seeds=1,
        keep_settings=1,
    )
    runs = plan_runs(sweep)
    mnli = [run for run in runs if (run.model_label, run.task) == ("a", "mnli")]
    rte = [run for run in runs if (run.model_label, run.task) == ("a", "rte")]
    assert unfinished_sources(mnli[0], runs, sweep) == []
    assert starting_model(mnli[0], runs, sweep) == "models/a"
    assert unfinished_sources(rte[0], runs, sweep) == mnli[:2]
    for run, score in zip(mnli, (0.5, 0.7), strict=False):
        write_result(tmp_path / run.folder, task="mnli", score=score)
    assert unfinished_sources(rte[0], runs, sweep) == [mnli[3]], "the other setting earned no further seed"
    assert waiting_for(rte[2], runs, sweep) == [mnli[3], *rte[:2]]
    given_up = {tmp_path / mnli[3].folder}
    monkeypatch.setattr("finetuning.sweeps.stages.gave_up", lambda output, run: output / run.folder in given_up)
    assert unfinished_sources(rte[0], runs, sweep) == []
    given_up.clear()
    write_result(tmp_path / mnli[3].folder, task="mnli", score=0.7)
    assert unfinished_sources(rte[0], runs, sweep) == []
    for run in (mnli[1], mnli[3]):
        (tmp_path / run.folder / "model").mkdir()
    assert starting_model(rte[0], runs, sweep) == str(tmp_path / mnli[1].folder / "model"), "of equal ones the first"
    other = next(run for run in runs if (run.model_label, run.task) == ("b", "rte"))
    assert unfinished_sources(other, runs, sweep) == [
        run for run in runs if (run.model_label, run.task, run.seed) == ("b", "mnli", 1)
    ]
    with pytest.raises(FinetuningError, match="no MNLI run of b in"):
        starting_model(other, runs, sweep)


def test_a_setting_is_ranked_by_the_mean_of_what_is_finished(
    tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    sweep = config(tmp_path, tasks=("cola",), seeds=(1, 2, 3), first_seeds=2, keep_settings=1)
    runs = plan_runs(sweep)
    first, later = split_stages(runs, sweep)
    for run, score in zip(first, (0.5, 0.6, 0.5), strict=False):  # the second setting's other run failed for good
        write_result(tmp_path / run.folder, score=score)
    monkeypatch.setattr("finetuning.sweeps.stages.gave_up", lambda output, run: run == first[3])
    assert kept_settings(later[0], runs, sweep) == ([first[1].setting], [])
