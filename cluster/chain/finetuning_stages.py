"""Fine-tuning as stages: the arrays of a sweep, as `finetuning.sweep` cuts them, and its report."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.chain.asked import Asked, ask, told
from cluster.chain.configuration import Configuration
from cluster.chain.pretraining_stages import PHASES, export_of
from cluster.chain.progress import progress_of_sweep, runs_of_sweep
from cluster.chain.stages import Part, Stage, Wait, command_stage
from cluster.errors import ClusterError

FOLDER = "finetune"
_OTHERS = ("jobs", "array_size")
"""Options of the command that are no keys of a sweep's file: how its arrays are cut."""


def finetuning_stages(configuration: Configuration) -> list[Stage]:
    """The stages of `[finetune]`; `ClusterError` where the sweep is wrong."""
    if "finetune" not in configuration.tables:
        return []
    from finetuning.errors import FinetuningError
    from finetuning.sweep import option_parser
    from finetuning.sweeps.config import SweepConfig
    from finetuning.sweeps.grid import plan_runs
    from preprocessing.arguments import build_model

    folder = configuration.output / FOLDER
    phases = [name for name in PHASES if name in configuration.tables]
    table = configuration.tables["finetune"]
    own: dict[str, Any] = {"output": str(folder)}
    if phases and "models" not in table:
        own["models"] = {_label(configuration.output): str(export_of(configuration, phases[-1]))}
    asked = ask(configuration, "finetune", option_parser(), own, others=_OTHERS)
    with told(configuration, "finetune"):
        config = build_model(SweepConfig, asked.parsed, FinetuningError)
        for run in plan_runs(config):
            if run.wave == 0:
                run.spec(folder)
    words = _sweep(table, asked)
    after_phase: dict[str, Wait] = {phases[-1]: "afterok"} if phases else {}
    slurm = configuration.slurm["finetune"]
    sweep = Stage(
        "finetune",
        asked.words,
        lambda writes: _arrays(configuration, words, writes),
        after_phase,
        (folder,),
        lambda: runs_of_sweep(config).missing == 0,
        lambda: progress_of_sweep(config),
        lambda: _check_inputs(configuration, config, [export_of(configuration, phase) for phase in phases]),
        slurm.words,
        slurm.variables,
        prepare=("python", *words),
        grows=True,
    )
    # Whatever became of the runs; but not when there was nothing to start them from.
    needs: dict[str, Wait] = {**after_phase, "finetune": "afterany"}
    command = ("python", "-m", "finetuning.report", str(folder))
    return [sweep, command_stage(configuration, "report", command, needs, refreshes=True)]


def _label(output: Path) -> str:
    """The folder's name as a label of a model: letters, digits, '_' and '-'."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", output.absolute().name).lstrip("_-") or "pretrained"


def _check_inputs(configuration: Configuration, config: Any, exports: list[Path]) -> None:
    """What no stage of the chain makes has to be there."""
    with told(configuration, "finetune"):
        for label, model in config.models.items():
            folder = Path(model.removeprefix("random:"))
            if not folder.exists() and not any(folder.is_relative_to(export) for export in exports):
                raise ClusterError(f"models.{label} {folder}: there is no such folder, and no phase here makes it")
        data = {"data": config.data, **{f"task.{name}.data": task.data for name, task in config.task.items()}}
        for key, place in data.items():
            if place is not None and not Path(place).exists():
                raise ClusterError(f"{key} {place}: there is no such folder")


def _sweep(table: Mapping[str, Any], asked: Asked) -> tuple[str, ...]:
    """The words behind `python` that write the sweep's plan and say its arrays."""
    cut = [f"--{key.replace('_', '-')}={table[key]}" for key in _OTHERS if key in table]
    return ("-m", "finetuning.sweep", *asked.words, *cut, "--slurm-json")


def _arrays(configuration: Configuration, words: Sequence[str], writes: bool) -> tuple[Part, ...]:
    """The job arrays of the runs that are missing, as `finetuning.sweep` says."""
    command = [sys.executable, *words, *(() if writes else ("--dry-run",))]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()[-1:] or [f"exit code {answer.returncode}"]
        raise ClusterError(f"{configuration.file}: [finetune] {reason[0].removeprefix('finetuning.sweep: ')}")
    return tuple(
        Part(
            Path(array["script"]).name,
            tuple(array["arguments"]),
            (f"--array={array['array']}", *array["options"]),
            tuple(array["after"]),
            array["dependency"],
        )
        for array in json.loads(answer.stdout)
    )
