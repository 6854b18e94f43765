"""What all ranks of a run must have alike, as names and values in plain words."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
CODE, RUN, WORLD_SIZE = "the code", "the run", "the number of ranks"


def code_version(stages: Sequence[str], root: Path = ROOT) -> str:
    """Twelve hexadecimal digits over the names and contents of all modules and recipes of these folders."""
    digest = hashlib.sha256()
    for stage in stages:
        for file in sorted((root / stage).rglob("*")):
            if file.suffix in {".py", ".toml"}:
                digest.update(file.relative_to(root).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def facts_of(
    run: str, settings: Mapping[str, Any], stages: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """The facts of this rank. `run` names the run apart from others, as its output folder does.

    A job of a scheduler and its requeued self are two runs: what is left of the first must not join the second.
    """
    names = ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "TORCHELASTIC_RUN_ID")
    job = " ".join(f"{name}={environment[name]}" for name in names if environment.get(name))
    facts = {RUN: f"{run} ({job})" if job else run, CODE: code_version(stages), "torch": torch.__version__}
    return facts | dict(_flat(settings))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Dotted names and values of nested tables."""
    found: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", json.dumps(value, sort_keys=True, default=str)))
    return found


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Name, our value and theirs of the first fact that differs; None where all are alike."""
    for name in dict.fromkeys([*theirs, *ours]):
        mine, other = ours.get(name, "nothing"), theirs.get(name, "nothing")
        if mine != other:
            return name, mine, other
    return None
