"""`lineage.json` beside a model: the steps that led to it, each with the hash of the weights that it left.

A model that starts from another takes its steps over and adds its own, so the last model of a chain names them all.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preprocessing.atomic_file import write_text
from pretraining.model_card.markdown import plain

LINEAGE_FILE = "lineage.json"
WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")
FORMAT = 1

Step = dict[str, Any]
"""`step`: what was done; `weights`: sha256 of the file of weights that it left; and what else it can tell."""


def weights_hash(folder: Path) -> str | None:
    """sha256 (hexadecimal) of the first of `WEIGHTS_FILES` that lies in a folder; None where none does."""
    for name in WEIGHTS_FILES:
        try:
            with (folder / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue
    return None


def read_lineage(folder: Path) -> list[Step]:
    """The steps that led to the model in a folder, as far as they are known. It never fails: what is not there, or is
    damaged, or is of weights that were changed since, is said by a step of its own.
    """
    weights = weights_hash(folder)
    try:
        content = json.loads((folder / LINEAGE_FILE).read_text(encoding="utf-8"))
        steps = [dict(step) for step in content["steps"]] if content["format"] == FORMAT else []
    except (OSError, ValueError, KeyError, TypeError):
        steps = []
    if not steps:
        said = "given" if weights else "no longer there"
        return [{"step": said, "folder": str(folder), "weights": weights}]
    if steps[-1].get("weights") != weights:
        steps.append({"step": "changed by other means", "folder": str(folder), "weights": weights})
    return steps


def write_lineage(folder: Path, before: Sequence[Step], last: Step) -> list[Step]:
    """Writes the file beside weights that are there; `last` gets their hash. Returns all steps."""
    steps = [*before, {**last, "weights": weights_hash(folder)}]
    write_text(folder / LINEAGE_FILE, json.dumps({"format": FORMAT, "steps": steps}, indent=1) + "\n")
    return steps


def languages(steps: Sequence[Step]) -> tuple[str, ...]:
    """The languages of all text that the steps name, in their order."""
    return tuple(dict.fromkeys(str(code) for step in steps for code in step.get("languages", ())))


def as_list(steps: Sequence[Step]) -> str:
    """The steps as a numbered list."""
    lines = []
    for place, step in enumerate(steps, 1):
        lines.append(f"{place}. {plain(step.get('step', '?'))}")
        lines += [f"    - {plain(key)}: {plain(_said(value))}" for key, value in step.items() if key != "step"]
    return "\n".join(lines)


def _said(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    return str(value)
