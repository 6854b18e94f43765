"""A plan: the table of runs as it was when it was made, in a file, so that what has begun cannot change.

A job array may start hours after it was submitted, and a sweep of days may be started many times. They read the plan,
not the sweep's file, and the copies of the user's task files that lie beside it. What they train on and start from, the
data and the models, are looked up when a run starts; results that were made with other ones are refused by `reuse`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from finetuning.atomic_file import write_json, write_text
from finetuning.errors import FinetuningError
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import PlannedRun, plan_runs
from finetuning.tasks.task import Task, parse_table, read_task

PLANS = "plans"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep and its runs, in the order of their indices.

    `tasks`: path and text of the copies of task files. `file`: where the plan was read from, if it was.
    """

    config: SweepConfig
    runs: tuple[PlannedRun, ...]
    tasks: tuple[tuple[Path, str], ...] = ()
    file: Path | None = None

    @property
    def output(self) -> Path:
        """The folder of the sweep."""
        return Path(self.config.output)

    def copied_tasks(self) -> dict[str, Task]:
        """The tasks of the copies by the paths that runs have for them, whether they are written yet or not."""
        return {
            str(path): parse_table({"name": path.stem} | tomllib.loads(text), str(path)) for path, text in self.tasks
        }

    def write_tasks(self) -> None:
        """The copies of task files that its runs name. What is there is the same: the name holds a hash."""
        for path, text in self.tasks:
            if not path.is_file():
                write_text(path, text)

    def write(self) -> Path:
        """Leaves the plan in `OUTPUT/plans/`, under a name that follows from its content, and returns its path."""
        self.write_tasks()
        path = self.place()
        return path if path.is_file() else write_json(path, self._content())

    def place(self) -> Path:
        """Where `write` leaves it."""
        return self.output / PLANS / f"{_digest(json.dumps(self._content(), sort_keys=True))}.json"

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "config": self.config.model_dump(mode="json"),
            "runs": [{"folder": str(run.folder), **asdict(run)} for run in self.runs],
        }


def make_plan(config: SweepConfig) -> Plan:
    """The plan of a sweep as its files are now; nothing is written yet.

    Runs of a user's own task name the copy of its file; where no data are given, they stay those beside the original.

    Raises:
        FinetuningError: an option of a run or a task file is wrong.
    """
    copies: dict[str, tuple[Path, str]] = {}
    for task in config.tasks:
        if not task.endswith(".toml"):
            read_task(task)
        else:
            from finetuning.kinds.loading import (
                load_task,  # late: the kinds take seconds, and own tasks alone need them
            )

            load_task(task)  # a mistake in it costs nothing yet
            text = Path(task).read_text(encoding="utf-8")
            copies[task] = (Path(config.output) / PLANS / _digest(text) / Path(task).name, text)
    runs = []
    for run in plan_runs(config):
        if run.task in copies:
            data = run.data or str(Path(run.task).parent)
            run = replace(run, task=str(copies[run.task][0]), data=data)
        if run.wave == 0:
            run.spec(Path(config.output))
        runs.append(run)
    return Plan(config, tuple(runs), tuple(copies.values()))


def read_plan(path: Path) -> Plan:
    """The plan that `Plan.write` left in a file.

    Raises:
        FinetuningError: there is none, it or a task file beside it is damaged, or another version of this program made
            it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, this version knows {FORMAT}")
        runs = tuple(_run(row) for row in content["runs"])
        plan = Plan(SweepConfig.model_validate(content["config"]), runs, file=path)
    except FileNotFoundError:
        raise FinetuningError(
            f"{path}: no such plan; finetuning.sweep leaves one in OUTPUT/plans when it starts, and with --slurm"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = " ".join(str(error).split())
        raise FinetuningError(
            f"{path} is damaged, or a plan of another version of this program ({problem}): run the command that made "
            "it again (for job arrays with --slurm, and submit what it prints)"
        ) from None
    _check_copies(plan.runs)
    return plan


def _run(row: dict[str, Any]) -> PlannedRun:
    folder = row.pop("folder")
    run = PlannedRun(**row | {"options": tuple((name, value) for name, value in row["options"])})
    if str(run.folder) != folder:  # this version would look for the result elsewhere
        raise ValueError(f"its run {folder} is called {run.folder} here")
    return run


def _check_copies(runs: Sequence[PlannedRun]) -> None:
    for task in {run.task for run in runs if run.task.endswith(".toml")}:
        path = Path(task)
        try:
            is_same = _digest(path.read_text(encoding="utf-8")) == path.parent.name
        except (FileNotFoundError, UnicodeDecodeError):
            is_same = False
        if not is_same:
            raise FinetuningError(
                f"{path}, the plan's copy of a task file, is missing or was changed: run the command that made the "
                "plan again, which writes it"
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
