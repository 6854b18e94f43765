"""What a sweep is about to do, said before it does it: how many runs, how many at once, for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from finetuning.sweeps.attempts import gave_up
from finetuning.sweeps.capacity import Slot
from finetuning.sweeps.config import GRIDS
from finetuning.sweeps.durations import Durations, forecast, in_words
from finetuning.sweeps.grid import PlannedRun
from finetuning.sweeps.plan import Plan
from finetuning.sweeps.stages import is_later_seed, kept_settings, split_stages


@dataclass(frozen=True, slots=True)
class Work:
    """The runs of a plan, by what is to be done with them."""

    stages: tuple[tuple[PlannedRun, ...], ...]
    """Those to do, stage by stage. Of further seeds at most so many are done, of settings that are not known yet."""
    there: int
    failed: int
    """Of those to do: failed when they were last tried."""
    left_out: int
    """Further seeds of settings that are not, or cannot all be, among the best."""
    is_open: bool
    """Whether it is not known yet which settings get their further seeds."""

    @property
    def due(self) -> int:
        """How many are to do, at most."""
        return sum(map(len, self.stages))


def work_of(plan: Plan, stands: Callable[[PlannedRun], bool]) -> Work:
    """What is to do of a plan. `stands`: whether a run's result is there and is enough."""
    config, runs = plan.config, plan.runs
    there = failed = left_out = 0
    is_open = False
    stages = []
    kept: dict[tuple[str, str], tuple[list[object], bool]] = {}
    guessed: dict[tuple[str, str], list[object]] = {}
    for stage in split_stages(runs, config):
        due = []
        for run in stage:
            group = (run.model_label, run.task_name)
            if stands(run):
                there += 1
                continue
            if is_later_seed(run, config):
                if group not in kept:
                    settings, unfinished = kept_settings(run, runs, config)
                    kept[group] = (list(settings), bool(unfinished))
                settings_known, is_unsettled = kept[group]
                if is_unsettled:  # so many settings go on, whichever they are
                    is_open = True
                    settings_known = guessed.setdefault(group, [])
                    if run.setting not in settings_known and len(settings_known) < (config.keep_settings or 0):
                        settings_known.append(run.setting)
                if run.setting not in settings_known:
                    left_out += 1
                    continue
            failed += gave_up(plan.output, run)
            due.append(run)
        stages.append(tuple(due))
    return Work(tuple(filter(None, stages)), there, failed, left_out, is_open)


def announce(plan: Plan, work: Work, slots: Sequence[Slot], durations: Durations) -> list[str]:
    """The sentences that a sweep says before it starts."""
    total = work.due + work.there
    again = f" ({work.failed} of them failed before)" if work.failed else ""
    most = "at most " if work.is_open else ""
    lines = [f"{plan.output}: {most}{total} runs: {work.there} are there, {most}{work.due} to do{again}"]
    if work.left_out:
        lines.append(f"{work.left_out} further seeds are left out: only the best settings of a task get them")
    if work.due:
        at_once = min(len(slots), work.due)
        lines.append(f"{at_once} at once on {_places(slots)}: {in_words(forecast(work.stages, durations, at_once))}")
    if not plan.config.model_fields_set & {"grid", *GRIDS["one"]}:
        lines.append(
            "one setting of each task: --grid paper has the BERT paper's four learning rates and five seeds; "
            "--learning-rates, --batch-sizes, --epochs and --seeds say it one by one"
        )
    return lines


def _places(slots: Sequence[Slot]) -> str:
    devices = list(dict.fromkeys(slot.device for slot in slots if slot.device is not None))
    if devices:
        return f"GPU {', '.join(devices)}"
    threads = slots[0].environment.get("OMP_NUM_THREADS", "1")
    return f"the CPU, {threads} thread{'' if threads == '1' else 's'} each"
