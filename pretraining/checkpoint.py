"""Checkpoints that are complete or absent, and resume exactly.

``RUN/checkpoints/stepN/`` holds DeepSpeed's files under ``engine/``, every rank's random state, ``trainer.json`` and,
written last, ``manifest.json`` with the size and sha256 of every file. It is built as ``stepN.tmp`` and renamed when
all ranks have reported their files safe on disk; only then does ``latest`` name it and do old ones go.
"""

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.atomic_file import write_text
from pretraining import random_state
from pretraining.errors import PretrainingError
from pretraining.sampler import Position
from pretraining.trainer_state import TrainerState, dump

_MANIFEST = "manifest.json"
_ENGINE = "engine"  # DeepSpeed's tag


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to: it resumes only with the same model, data, optimiser and layout."""

    model: dict[str, Any]
    data: str  # fingerprints of the shard sets
    population: str  # what the position counts in: a change (another length of the same shards) starts it anew
    optimizer: str
    precision: str
    stage: int
    ranks: int


def save(engine: Any, folder: Path, state: TrainerState, identity: Identity, keep: int) -> Path:
    """Writes ``folder/stepN``; collective. Returns its path."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    target, building = folder / f"step{state.step}", folder / f"step{state.step}.tmp"
    if rank == 0:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
    dist.barrier()
    engine.save_checkpoint(str(building), tag=_ENGINE, client_state={}, save_latest=False)
    torch.save(random_state.capture(), building / _random_name(rank))
    if rank == 0:
        contents = {"state": state.to_json(), "identity": identity.__dict__}
        (building / "trainer.json").write_text(dump(contents), encoding="utf-8")
    dist.barrier()  # every file of every rank exists
    mine = {name: _secure(building / name) for name in _files(building) if _owner(name) % ranks == rank}
    reports: list[dict[str, Any]] = [{} for _ in range(ranks)]
    dist.all_gather_object(reports, mine)  # every file of every rank is on disk
    if rank == 0:
        files = {name: facts for report in reports for name, facts in sorted(report.items())}
        write_text(building / _MANIFEST, dump({"version": 1, "step": state.step, "ranks": ranks, "files": files}))
        shutil.rmtree(target, ignore_errors=True)
        building.rename(target)
        _sync_folder(folder)
        write_text(folder / "latest", target.name + "\n")
        _prune(folder, keep)
    dist.barrier()
    return target


def newest_complete(folder: Path) -> Path | None:
    """The newest checkpoint whose files all ranks find whole; None when there is none. Collective."""
    steps = sorted(_steps(folder), reverse=True) if dist.get_rank() == 0 else []
    agreed: list[Any] = [steps]
    dist.broadcast_object_list(agreed, src=0)
    for step in agreed[0]:
        candidate = folder / f"step{step}"
        whole = torch.tensor(int(_whole(candidate, dist.get_rank(), dist.get_world_size())))
        if dist.get_backend() == "nccl":
            whole = whole.cuda()
        dist.all_reduce(whole, op=dist.ReduceOp.MIN)
        if whole.item():
            return candidate
    return None


def load(engine: Any, checkpoint: Path, identity: Identity) -> TrainerState:
    """Puts engine and random states back; collective. PretrainingError when the checkpoint is of something else."""
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
    if saved.ranks == identity.ranks:
        random_state.restore(torch.load(checkpoint / _random_name(dist.get_rank()), weights_only=True))
    return state


def check_identity(checkpoint: Path, saved: Identity, current: Identity) -> None:
    """Refuses to resume another model, other data or another layout."""
    different = sorted(key for key in {*saved.model, *current.model} if saved.model.get(key) != current.model.get(key))
    if different:
        changes = ", ".join(f"{key} {saved.model.get(key)} there, {current.model.get(key)} here" for key in different)
        raise PretrainingError(
            f"{checkpoint} is a checkpoint of another model ({changes}); choose another output.folder"
        )
    if saved.data != current.data:
        raise PretrainingError(
            f"{checkpoint} was trained on other shards, so its position means nothing here; restore them, or start "
            "a new output.folder with init.from set to this run"
        )
    for name in ("optimizer", "precision", "stage"):
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


def _random_name(rank: int) -> str:
    return f"random-{rank:05d}.pt"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


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
        for name, facts in files.items():
            path = checkpoint / name
            if path.stat().st_size != facts["bytes"]:
                return False
            if _owner(name) % ranks == rank and _secure(path)["sha256"] != facts["sha256"]:
                return False
    except (OSError, ValueError, KeyError):
        return False
    return True


def _prune(folder: Path, keep: int) -> None:
    """Removes all but the newest ``keep`` checkpoints, each by a rename first, so that none is ever half there."""
    for step in sorted(_steps(folder))[:-keep]:
        doomed = folder / f"step{step}.removed"
        (folder / f"step{step}").rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
