"""What is said before a sweep begins is what it then does."""

from collections.abc import Callable
from pathlib import Path

from finetuning.sweeps.announcement import announce, work_of
from finetuning.sweeps.capacity import Slot
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.durations import Durations
from finetuning.sweeps.plan import Plan, make_plan

SLOTS = [Slot({"CUDA_VISIBLE_DEVICES": str(place % 2), "OMP_NUM_THREADS": "1"}) for place in range(4)]


def plan(output: Path, **changes: object) -> Plan:
    values = {"models": {"a": "x"}, "tasks": ("cola", "rte"), "output": str(output)}
    return make_plan(SweepConfig.model_validate(values | changes))


def said(sweep: Plan, slots: list[Slot] = SLOTS) -> list[str]:
    work = work_of(sweep, lambda run: (sweep.output / run.folder / "result.json").exists())
    return announce(sweep, work, slots, Durations.of(sweep.output, sweep.runs))


def test_a_sweep_without_a_word_on_its_grid_is_small_and_says_how_to_get_the_papers(tmp_path: Path) -> None:
    first, second, hint = said(plan(tmp_path))
    assert first == f"{tmp_path}: 6 runs: 0 are there, 6 to do"
    assert second == ("4 at once on GPU 0, 1: how long is not known before the first run of each task ends (cola, rte)")
    assert "--grid paper" in hint
    for given in ({"grid": "one"}, {"seeds": (1,)}, {"learning_rates": (1e-5,)}):
        assert len(said(plan(tmp_path, **given))) == 2


def test_what_is_there_and_what_failed_is_counted(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    sweep = plan(tmp_path, seeds=(1, 2, 3))
    cola = [run for run in sweep.runs if run.task == "cola"]
    write_result(tmp_path / cola[0].folder, seconds=600.0, seconds_per_epoch=200.0)
    (tmp_path / "logs" / cola[1].folder).mkdir(parents=True)
    (tmp_path / "logs" / cola[1].folder / "failed.json").write_text("{}")
    first, second = said(sweep, [Slot({"OMP_NUM_THREADS": "2"})])
    assert first == f"{tmp_path}: 6 runs: 1 are there, 5 to do (1 of them failed before)"
    assert second == (
        "1 at once on the CPU, 2 threads each: about 20 min without rte, not known before the first run of each task "
        "ends"
    )
    for run in sweep.runs:
        write_result(tmp_path / run.folder, task=run.task)
    assert said(sweep) == [f"{tmp_path}: 6 runs: 6 are there, 0 to do"]


def test_of_further_seeds_as_many_are_announced_as_can_be_done(
    tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    options = {"tasks": ("cola",), "learning_rates": (1e-5, 2e-5, 3e-5), "seeds": (1, 2, 3)}
    sweep = plan(tmp_path, **options, first_seeds=1, keep_settings=1)
    first, left_out, _ = said(sweep)
    assert first == f"{tmp_path}: at most 5 runs: 0 are there, at most 5 to do"
    assert left_out.startswith("4 further seeds are left out")
    for run, score in zip(sweep.runs[:3], (0.5, 0.7, 0.6), strict=True):
        write_result(tmp_path / run.folder, score=score)
    assert said(sweep)[0] == f"{tmp_path}: 5 runs: 3 are there, 2 to do"
    work = work_of(sweep, lambda run: run in sweep.runs[:3])
    assert {run.learning_rate for stage in work.stages for run in stage} == {2e-5}
