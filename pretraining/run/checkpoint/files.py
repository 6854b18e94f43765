"""A checkpoint as files: whole or absent, named, counted and removed.

``RUN/checkpoints/stepN/`` is built as ``stepN.tmp``. Its ``manifest.json``, with the size and sha256 of every other
file and of itself, comes last; then the folder is renamed, then ``latest`` names it, then old ones go: first by a
rename, so that none is ever half there. A damaged one is set aside as ``stepN.damaged``: it takes no part any more,
and what is left of it stays for its owner to look at.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretraining.errors import PretrainingError
from pretraining.run.trainer_state import dump

MANIFEST = "manifest.json"
TRAINER = "trainer.json"
INDEX = "index.json"
VERSION = 3  # of what the files say


def checkpoint_folder(run: Path) -> Path:
    """Where a run in the folder `run` keeps its checkpoints."""
    return run / "checkpoints"


def state_name(rank: int) -> str:
    """The file with the slices that a rank wrote."""
    return f"state-{rank:05d}.safetensors"


def owner(name: str, ranks: int) -> int:
    """Which of `ranks` ranks looks after a file; rank 0 where no rank of its own wrote it."""
    match = re.fullmatch(r"state-(\d+)\.safetensors", name)
    return int(match[1]) % ranks if match else 0


def facts(path: Path) -> dict[str, Any]:
    """Forces a file to disk and reads back what is there."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def write_durably(path: Path, text: str) -> None:
    """Writes text that is on disk, complete and under its name, when this returns."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Forces a folder's list of names to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_manifest(folder: Path, step: int, ranks: int, files: dict[str, dict[str, Any]]) -> None:
    """Writes the marker of a complete checkpoint."""
    contents = {"version": VERSION, "step": step, "ranks": ranks, "files": files}
    write_durably(folder / MANIFEST, dump({**contents, "sha256": _digest(contents)}))


def read_manifest(checkpoint: Path) -> dict[str, Any] | None:
    """The manifest; None when it is absent, torn, or not as it was written."""
    try:
        text = (checkpoint / MANIFEST).read_text(encoding="utf-8")
        contents = json.loads(text)
        if contents["version"] != VERSION:
            return dict(contents)
        if text != dump(contents):
            return None
        stated = contents.pop("sha256")
        names = {INDEX, TRAINER, *(state_name(rank) for rank in range(contents["ranks"]))}
        whole = stated == _digest(contents) and set(contents["files"]) == names
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(contents) if whole else None


def _digest(contents: dict[str, Any]) -> str:
    return hashlib.sha256(dump(contents).encode()).hexdigest()


def damaged_file(checkpoint: Path, rank: int = 0, ranks: int = 1) -> str | None:
    """The first of the files of `rank` that is not as the manifest says, by size and sha256; None when all are."""
    manifest = read_manifest(checkpoint)
    if manifest is None:
        return MANIFEST
    if manifest["version"] != VERSION:
        return None  # whole or not, it is not for this program to say
    for name, stated in sorted(manifest["files"].items()):
        if owner(name, ranks) == rank and not _matches(checkpoint / name, stated):
            return str(name)
    return None


def _matches(path: Path, stated: dict[str, Any]) -> bool:
    try:  # the size is read first: it costs nothing
        return path.stat().st_size == stated["bytes"] and facts(path) == stated
    except OSError:
        return False


def check_version(checkpoint: Path) -> None:
    """PretrainingError for a checkpoint of another version of this program."""
    version = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8")).get("version")
    if version != VERSION:
        raise PretrainingError(
            f"{checkpoint} is of version {version} and this program reads version {VERSION}; finish the run with the "
            "program that wrote it, or choose another output.folder"
        )


def checkpoint_steps(folder: Path) -> list[int]:
    """The steps of which there are checkpoints, in no order; whether they are whole is not looked at."""
    names = (re.fullmatch(r"step(\d+)", path.name) for path in folder.glob("step*"))
    return [int(match[1]) for match in names if match]


def steps_named(steps: Iterable[int]) -> str:
    """Steps as their folders are called, for messages."""
    return ", ".join(f"step{step}" for step in sorted(steps))


def refuse_used(folder: Path) -> None:
    """PretrainingError when there are checkpoints: those of a run from step 0 would get mixed up with them."""
    steps = checkpoint_steps(folder)
    if steps:
        raise PretrainingError(
            f"checkpoint.resume is false and {folder} has {steps_named(steps)}; choose another output.folder, or leave "
            "checkpoint.resume true to go on from there"
        )


def set_aside(folder: Path, damaged: dict[int, str], newest: str) -> None:
    """Renames damaged checkpoints (step: the file that is wrong), so that they neither count nor are tried again."""
    for step, file in damaged.items():
        aside = folder / f"step{step}.damaged"
        shutil.rmtree(aside, ignore_errors=True)  # an earlier one of the same step
        (folder / f"step{step}").rename(aside)
        print(
            f"{folder}/step{step} is damaged ({file}): it is now {aside.name}, and {newest} is used",
            file=sys.stderr,
            flush=True,
        )
    if damaged:
        write_durably(folder / "latest", newest + "\n")


def take_in_finished(folder: Path) -> None:
    """Gives their names to checkpoints whose save was killed after the marker was written."""
    for path in folder.glob("step*.tmp"):
        if not path.with_suffix("").exists() and read_manifest(path) is not None:
            path.rename(path.with_suffix(""))


def remove_leftovers(folder: Path) -> None:
    """What saves and removals left behind that were killed."""
    for path in folder.glob("step*"):
        if re.fullmatch(r"step\d+\.(tmp|removed)", path.name):
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Retention:
    """Which checkpoints stay."""

    newest: int  # how many, the one just saved included
    every: int  # steps that are multiples of it stay for good; 0: none
    best: bool  # so does the one with the lowest held-out loss

    def doomed(self, step: int, held_out: dict[int, float | None]) -> list[int]:
        """Which of the earlier steps go, now that `step` is saved. `held_out`: their losses, None where not known.

        Later steps are none of this run's and stay.
        """
        older = sorted(other for other in held_out if other < step)
        going = older[: max(0, len(older) - self.newest + 1)]
        losses = {other: loss for other, loss in held_out.items() if loss is not None}
        best = min(losses, key=lambda other: (losses[other], other)) if self.best and losses else None
        return [other for other in going if other != best and not (self.every and other % self.every == 0)]


def prune(folder: Path, step: int, retention: Retention) -> None:
    """Removes what need not stay after `step` was saved."""
    held_out = {other: _held_out_loss(folder / f"step{other}") for other in checkpoint_steps(folder)}
    for other in retention.doomed(step, held_out):
        removed = folder / f"step{other}.removed"
        (folder / f"step{other}").rename(removed)
        shutil.rmtree(removed, ignore_errors=True)


def _held_out_loss(checkpoint: Path) -> float | None:
    try:
        loss = json.loads((checkpoint / TRAINER).read_text(encoding="utf-8"))["state"]["held_out_loss"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if loss is None else float(loss)
