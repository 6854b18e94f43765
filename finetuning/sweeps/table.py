"""The table of a sweep: kept in its folder for the report, and printed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from finetuning.atomic_file import write_json
from finetuning.run.result import Result
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.plan import Plan
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
        write_json(output / name, content)


def print_table(plan: Plan, console: Console) -> None:
    """One line for each run, stage by stage."""
    table = Table("index", "stage", "model", "task", "learning rate", "batch", "epochs", "seed", "state")
    places = {run: index for index, run in enumerate(plan.runs)}
    for number, stage in enumerate(split_stages(plan.runs, plan.config)):
        for run in stage:
            state = "there" if Result.exists(plan.output / run.folder) else "due"
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
