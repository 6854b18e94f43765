"""The table of a sweep: kept in its folder for the report, and printed."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from finetuning.atomic_file import write_json
from finetuning.run.result import Result
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.plan import PLANS, Plan
from finetuning.sweeps.reuse import lacking
from finetuning.sweeps.stages import split_stages

SWEEP_FILE = "sweep.json"


def write_table(config: SweepConfig) -> None:
    """Leaves the sweep as it is now in sweep.json, and each table that was ever asked for here in a file of its own.

    A narrower second call into the same folder must not make the missing runs of the first one vanish from the report.
    """
    content = config.model_dump(mode="json")
    table = {key: value for key, value in content.items() if key != "output"}
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]
    output, own = Path(config.output), f"{Path(SWEEP_FILE).stem}-{digest}.json"
    for name in (own, SWEEP_FILE):
        if _read(output / name) != content:  # a finished sweep may lie where nothing can be written any more
            write_json(output / name, content)


def changes(plan: Plan) -> list[str]:
    """What a sweep asks for otherwise than the one that was last begun in its folder, in a sentence; none: nothing."""
    file = plan.output / SWEEP_FILE
    try:
        before = SweepConfig.model_validate_json(file.read_bytes()).model_dump(mode="json")
    except FileNotFoundError:
        return []
    except ValueError:
        return [f"{file} is damaged or of another version: it is written anew"]
    now = plan.config.model_dump(mode="json")
    # The folder may have been moved, and `grid` only stands for other keys.
    changed = [key for key in now if key not in ("output", "grid") and before[key] != now[key]]
    if not changed:
        return []
    said = "; ".join(f"{key} was {_shown(before[key])}, now {_shown(now[key])}" for key in changed)
    earlier = next((path for path in sorted((plan.output / PLANS).glob("*.json")) if _is_of(path, before)), None)
    back = f"; --plan {shlex.quote(str(earlier))} goes on with that one" if earlier else ""
    return [f"another sweep than the one last begun in {plan.output}: {said}{back}"]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _is_of(path: Path, config: dict[str, Any]) -> bool:
    plan = _read(path)
    return isinstance(plan, dict) and plan.get("config") == config


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def print_table(plan: Plan, console: Console, *, again: bool = False) -> None:
    """One line for each run, stage by stage. `again`: runs that lack what is asked for since are to be made again."""
    table = Table("index", "stage", "model", "task", "learning rate", "batch", "epochs", "seed", "state")
    places = {run: index for index, run in enumerate(plan.runs)}
    for number, stage in enumerate(split_stages(plan.runs, plan.config)):
        for run in stage:
            state = "due"
            if Result.exists(plan.output / run.folder):
                state = "again" if again and lacking(run, plan) else "there"
            row = (
                places[run],
                number,
                run.model_label,
                run.task_name,
                f"{run.learning_rate:g}",
                run.batch_size,
                f"{run.epochs:g}",
            )
            table.add_row(*map(str, row), str(run.seed), state)
    console.print(table)
