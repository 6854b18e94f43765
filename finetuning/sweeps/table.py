"""The table of a sweep: kept in its folder for the report, printed, and as Slurm job arrays."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from finetuning.atomic_file import write_json
from finetuning.run.result import Result
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.stages import split_stages

SWEEP_FILE = "sweep.json"
SBATCH = "cluster/slurm/finetune.sbatch"


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


def print_table(config: SweepConfig, console: Console) -> None:
    """One line for each run, in the order of their indices."""
    table = Table("index", "stage", "model", "task", "learning rate", "batch", "epochs", "seed", "state")
    index = 0
    for number, stage in enumerate(split_stages(plan_runs(config), config)):
        for run in stage:
            state = "there" if Result.exists(Path(config.output) / run.folder) else "due"
            row = (
                index,
                number,
                run.model_label,
                run.task_name,
                f"{run.learning_rate:g}",
                run.batch_size,
                f"{run.epochs:g}",
            )
            table.add_row(*map(str, row), str(run.seed), state)
            index += 1
    console.print(table)


def slurm_commands(config: SweepConfig, arguments: Sequence[str]) -> list[str]:
    """The sbatch commands of a sweep: one job array for each stage, each waiting for the one before to end."""
    commands, first = [], 0
    for number, stage in enumerate(split_stages(plan_runs(config), config)):
        wait = f' --dependency=afterany:"$stage{number - 1}"' if number else ""
        array = f"--array={first}-{first + len(stage) - 1}"
        commands.append(f"stage{number}=$(sbatch --parsable{wait} {array} {SBATCH} {shlex.join(arguments)})")
        first += len(stage)
    return commands
