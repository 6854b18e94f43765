"""Checkpoints that are complete or absent, and resume exactly.

``RUN/checkpoints/stepN/`` holds DeepSpeed's files under ``engine/``, every rank's random state, ``trainer.json`` and,
written last, ``manifest.json`` with the size and sha256 of every file. It is built as ``stepN.tmp`` and renamed when
all ranks have reported their files safe on disk; only then does ``latest`` name it and do old ones go. A damaged one
is set aside as ``stepN.damaged``: it takes no part any more, and what is left of it stays for its owner to look at.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.atomic_file import write_text
from pretraining.data.sampler import Position
from pretraining.errors import PretrainingError
from pretraining.run import random_state
from pretraining.run.trainer_state import TrainerState, dump

_MANIFEST = "manifest.json"
_VERSION = 2  # of what trainer.json and the manifest say
_ENGINE = "engine"  # DeepSpeed's tag


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to: it resumes only with the same model, data, optimiser and layout."""

    model: dict[str, Any]
    data: str  # fingerprints of the shard sets
    population: str  # what the position counts in: a change (another length of the same shards) starts it anew
    optimizer: dict[str, Any]  # all settings but the rate, which the schedule gives anew at every step
    precision: str
    stage: int
    ranks: int


def save(engine: Any, folder: Path, state: TrainerState, identity: Identity, keep: int) -> Path:
    """Writes ``folder/stepN``; collective. Returns its path."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    target, building = folder / f"step{state.step}", folder / f"step{state.step}.tmp"
    if rank == 0:
        _remove_leftovers(folder)
        building.mkdir(parents=True)
    dist.barrier()
    engine.save_checkpoint(str(building), tag=_ENGINE, client_state={}, save_latest=False)
    torch.save(random_state.capture(), building / _random_name(rank))
    if rank == 0:
        contents = {"state": state.to_json(), "identity": identity.__dict__}
        (building / "trainer.json").write_text(dump(contents), encoding="utf-8")
    dist.barrier()  # every file of every rank exists
    mine = {name: _secure(building / name) for name in _names(building) if _owner(name) % ranks == rank}
    reports: list[dict[str, Any]] = [{} for _ in range(ranks)]
    dist.all_gather_object(reports, mine)  # every file of every rank is on disk
    if rank == 0:
        files = {name: facts for report in reports for name, facts in sorted(report.items())}
        write_text(
            building / _MANIFEST, dump({"version": _VERSION, "step": state.step, "ranks": ranks, "files": files})
        )
        shutil.rmtree(target, ignore_errors=True)
        building.rename(target)
        _sync_folder(folder)
        write_text(folder / "latest", target.name + "\n")
        _prune(folder, state.step, keep)
    dist.barrier()
    return target


def newest_complete(folder: Path) -> Path | None:
    """The newest checkpoint whose files all ranks find whole; None when there are no checkpoints. Collective.

    Damaged ones that are newer are set aside. PretrainingError when there are checkpoints and none is whole: starting
    anew without a word would throw away what can perhaps be restored.
    """
    steps = sorted(_steps(folder), reverse=True) if dist.get_rank() == 0 else []
    agreed: list[Any] = [steps]
    dist.broadcast_object_list(agreed, src=0)
    for place, step in enumerate(agreed[0]):
        candidate = folder / f"step{step}"
        whole = torch.tensor(int(_whole(candidate, dist.get_rank(), dist.get_world_size())))
        if dist.get_backend() == "nccl":
            whole = whole.cuda()
        dist.all_reduce(whole, op=dist.ReduceOp.MIN)
        if whole.item():
            if dist.get_rank() == 0:
                _set_aside(folder, agreed[0][:place], candidate.name)
            return candidate
    if agreed[0]:
        raise PretrainingError(
            f"{folder}: none of {_named(agreed[0])} is whole (files are missing, or not as manifest.json there says); "
            "restore one, choose another output.folder, or move them away to start again at step 0"
        )
    return None


def checkpoint_steps(folder: Path) -> list[int]:
    """The steps of which there are checkpoints, in no order; whether they are whole is not looked at."""
    return _steps(folder)


def damaged_file(checkpoint: Path) -> str | None:
    """The first file that is not as the checkpoint's manifest says, by size and sha256; None when all are."""
    try:
        files = json.loads((checkpoint / _MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return _MANIFEST
    for name, facts in files.items():
        try:
            if not _matches(checkpoint / name, facts):
                return str(name)
        except OSError:
            return str(name)
    return None


def engine_folder(checkpoint: Path) -> Path:
    """Where DeepSpeed's own files are."""
    return checkpoint / _ENGINE


def refuse_used(folder: Path) -> None:
    """PretrainingError when there are checkpoints: those of a run from step 0 would get mixed up with them."""
    steps = _steps(folder)
    if steps:
        raise PretrainingError(
            f"checkpoint.resume is false and {folder} has {_named(steps)}; choose another output.folder, or leave "
            "checkpoint.resume true to go on from there"
        )


def load(engine: Any, checkpoint: Path, identity: Identity, seed: int) -> TrainerState:
    """Puts engine and random states back; collective. PretrainingError when the checkpoint is of something else.

    ``seed`` is for random states that the checkpoint has not: those of another number of ranks or another device.
    """
    _check_version(checkpoint)
    contents = json.loads((checkpoint / "trainer.json").read_text(encoding="utf-8"))
    saved = Identity(**contents["identity"])
    check_identity(checkpoint, saved, identity)
    path, _ = engine.load_checkpoint(str(checkpoint), tag=_ENGINE, load_lr_scheduler_states=False)
    if path is None:
        raise PretrainingError(
            f"{checkpoint}: DeepSpeed found nothing to load; remove the folder to resume from an older one"
        )
    state = TrainerState.from_json(contents["state"])
    if saved.population != identity.population:
        state = replace(state, position=Position())
    random_state.seed_rank(seed, dist.get_rank(), state.step)  # restored below as far as there is something to restore
    if saved.ranks == identity.ranks:
        random_state.restore(torch.load(checkpoint / _random_name(dist.get_rank()), weights_only=True))
    return state


def _check_version(checkpoint: Path) -> None:
    version = json.loads((checkpoint / _MANIFEST).read_text(encoding="utf-8")).get("version")
    if version != _VERSION:
        raise PretrainingError(
            f"{checkpoint} is of version {version} and this program reads version {_VERSION}; finish the run with the "
            "program that wrote it, or choose another output.folder"
        )


def check_identity(checkpoint: Path, saved: Identity, current: Identity) -> None:
    """Refuses to resume another model, other data or another layout."""
    if changes := _changes(saved.model, current.model):
        raise PretrainingError(
            f"{checkpoint} is a checkpoint of another model ({changes}); choose another output.folder"
        )
    if saved.data != current.data:
        raise PretrainingError(
            f"{checkpoint} was trained on other shards, so its position means nothing here; restore them, or start "
            "a new output.folder with init.from set to this run"
        )
    if changes := _changes(saved.optimizer, current.optimizer):
        # DeepSpeed takes the saved settings, so this run's would count for nothing.
        raise PretrainingError(
            f"{checkpoint} was written with other settings in [optimizer] ({changes}); set them back, or start a new "
            "output.folder with init.from set to this run"
        )
    for name in ("precision", "stage"):
        before, now = getattr(saved, name), getattr(current, name)
        if before != now:
            raise PretrainingError(
                f"{checkpoint} was written with {name} {before} and this run has {name} {now}; set it back, or start a "
                "new output.folder with init.from set to this run"
            )
    if saved.ranks != current.ranks and saved.stage > 0:
        raise PretrainingError(
            f"{checkpoint} was written by {saved.ranks} ranks and this run has {current.ranks}: ZeRO stage "
            f"{saved.stage} has cut the optimiser into {saved.ranks} parts; resume on {saved.ranks} ranks, or start a "
            "new output.folder with init.from (another number of ranks, through DeepSpeed's universal checkpoint, is "
            "not supported yet)"
        )


def _changes(saved: dict[str, Any], current: dict[str, Any]) -> str:
    """What differs, in words; empty when nothing does."""
    different = sorted(key for key in {*saved, *current} if saved.get(key) != current.get(key))
    return ", ".join(f"{key} {saved.get(key)} there, {current.get(key)} here" for key in different)


def _random_name(rank: int) -> str:
    return f"random-{rank:05d}.pt"


def _names(folder: Path) -> list[str]:
    """All files below ``folder``, from the folders' own listings: a ``stat`` of every rank's files by every rank would
    be half a million of them at 512 ranks.
    """
    return sorted(
        os.path.relpath(os.path.join(top, name), folder) for top, _, names in os.walk(folder) for name in names
    )


def _owner(name: str) -> int:
    """The rank that wrote a file, by its name; rank 0 wrote what is not partitioned."""
    match = re.search(r"pp_rank_(\d+)_|random-(\d+)\.pt", name)
    return int(match[1] or match[2]) if match else 0


def _secure(path: Path) -> dict[str, Any]:
    """Forces a file to disk and reads back what is there."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _steps(folder: Path) -> list[int]:
    names = (re.fullmatch(r"step(\d+)", path.name) for path in folder.glob("step*"))
    return [int(match[1]) for match in names if match]


def _whole(checkpoint: Path, rank: int, ranks: int) -> bool:
    """True when the manifest is there and this rank's share of the files is as it says."""
    try:
        files = json.loads((checkpoint / _MANIFEST).read_text(encoding="utf-8"))["files"]
        mine = {name: facts for name, facts in files.items() if _owner(name) % ranks == rank}
        return all(_matches(checkpoint / name, facts) for name, facts in mine.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _matches(path: Path, facts: dict[str, Any]) -> bool:
    return path.stat().st_size == facts["bytes"] and _secure(path) == facts  # the size is read first: it costs nothing


def _named(steps: list[int]) -> str:
    return ", ".join(f"step{step}" for step in sorted(steps))


def _set_aside(folder: Path, steps: list[int], newest: str) -> None:
    """Renames damaged checkpoints, so that they neither count among the kept ones nor are tried again."""
    for step in steps:
        damaged = folder / f"step{step}.damaged"
        shutil.rmtree(damaged, ignore_errors=True)  # an earlier one of the same step
        (folder / f"step{step}").rename(damaged)
        print(f"{folder}/step{step} is damaged: it is now {damaged.name}, and {newest} is used", file=sys.stderr)
    if steps:
        write_text(folder / "latest", newest + "\n")


def _remove_leftovers(folder: Path) -> None:
    """What saves and removals left behind that were killed."""
    for path in folder.glob("step*"):
        if re.fullmatch(r"step\d+\.(tmp|removed)", path.name):
            shutil.rmtree(path, ignore_errors=True)


def _prune(folder: Path, step: int, keep: int) -> None:
    """Keeps ``step``, which was just saved, and the newest before it, ``keep`` in all.

    Each goes by a rename first, so that none is ever half there.
    """
    older = sorted(other for other in _steps(folder) if other < step)
    for other in older[: max(0, len(older) - keep + 1)]:
        doomed = folder / f"step{other}.removed"
        (folder / f"step{other}").rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
