"""Writes a checkpoint that is complete or absent: every rank its own slices, rank 0 what is common to all."""

import errno
import json
import os
import re
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import save_file

from pretraining.errors import PretrainingError, RetryablePretrainingError, not_written
from pretraining.run.checkpoint import files
from pretraining.run.checkpoint.files import INDEX, TRAINER, Retention, state_name
from pretraining.run.checkpoint.identity import Identity
from pretraining.run.checkpoint.loss_scale import scaler_state
from pretraining.run.checkpoint.slices import KINDS, Slice, applied_updates, held_slices, parameter_shapes, share_of
from pretraining.run.trainer_state import TrainerState, dump

_SPARE = 1 << 20  # bytes for what is not weights


@dataclass(frozen=True)
class Saved:
    """What a save wrote."""

    path: Path
    bytes: int
    seconds: float


@dataclass
class _Report:
    """What a rank says to the others of its part."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    ranges: list[tuple[str, int, int]] = field(default_factory=list)
    not_finite: str | None = None
    failure: Exception | None = None


def save(engine: Any, folder: Path, state: TrainerState, identity: Identity, retention: Retention) -> Saved:
    """Writes ``folder/stepN``; collective.

    PretrainingError on all ranks where a weight or moment is not a finite number, or a rank could not write (one that
    may be retried where the disk is full): the checkpoints before it stay.
    """
    started = time.perf_counter()
    rank, ranks = dist.get_rank(), dist.get_world_size()
    building = folder / f"step{state.step}.tmp"
    slices = held_slices(engine)
    if engine.zero_optimization_stage() == 0:
        slices = share_of(slices, rank, ranks)
    _make_room(folder, building, slices)
    report = _Report(ranges=[(part.name, part.first, part.last) for part in slices])
    try:
        report.not_finite = _first_not_finite(slices)
        if report.not_finite is None:
            report.files = _write_slices(building / state_name(rank), slices)
    except OSError as error:
        report.failure = not_written(error)
    reports = _gathered(report)  # every file of every rank is on disk
    _raise_agreed(reports, building, state.step)
    contents = {
        "state": state.to_json(),
        "identity": asdict(identity),
        "updates": applied_updates(engine),
        "skipped_updates": engine.skipped_steps,
        "loss_scaler": scaler_state(engine),
    }
    failure = None
    if rank == 0:
        try:
            _complete(building, folder, contents, reports, parameter_shapes(engine))
            files.prune(folder, state.step, retention)
        except OSError as error:
            failure = not_written(error)
    _raise_agreed(_gathered(_Report(failure=failure)), building, state.step)
    written = sum(facts["bytes"] for report in reports for facts in report.files.values())
    return Saved(folder / f"step{state.step}", written, time.perf_counter() - started)


def checkpoint_bytes(slices: list[Slice]) -> int:
    """What slices take on disk: float32 weights and two moments."""
    return sum(part.last - part.first for part in slices) * 4 * len(KINDS)


def _make_room(folder: Path, building: Path, slices: list[Slice]) -> None:
    """An empty folder to build in, on a disk that has room for all ranks' slices."""
    sizes = [0] * dist.get_world_size()
    dist.all_gather_object(sizes, checkpoint_bytes(slices))
    failure: Exception | None = None
    if dist.get_rank() == 0:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files.remove_leftovers(folder)
            needed, free = sum(sizes) + _SPARE, shutil.disk_usage(folder).free
            if free < needed:
                raise RetryablePretrainingError(
                    f"{folder}: a checkpoint takes {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB are free; free some "
                    "space and start the same command again, the checkpoints that are there stay as they are"
                )
            building.mkdir()
        except RetryablePretrainingError as error:
            failure = error
        except OSError as error:
            failure = not_written(error)
    _raise_agreed(_gathered(_Report(failure=failure)), building, -1)


def _write_slices(path: Path, slices: list[Slice]) -> dict[str, dict[str, Any]]:
    """One safetensors file: `kind/first/name` → float32 [last - first]."""
    tensors = {
        f"{kind}/{part.first}/{part.name}": tensor.float().cpu().contiguous()
        for part in slices
        for kind, tensor in part.tensors.items()
    }
    try:
        save_file(tensors, path)
    except SafetensorError as error:  # it hides the system's error in its text
        number = re.search(r"os error (\d+)", str(error))
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error
    return {path.name: files.facts(path)}


def _first_not_finite(slices: list[Slice]) -> str | None:
    for part in slices:
        for kind, tensor in part.tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                return f"{kind} of {part.name}"
    return None


def first_not_finite(engine: Any) -> str | None:
    """Which weight or moment of any rank holds something that is no finite number; None when all are. Collective."""
    reports = _gathered(_Report(not_finite=_first_not_finite(held_slices(engine))))
    return next((report.not_finite for report in reports if report.not_finite), None)


def _gathered(report: _Report) -> list[_Report]:
    reports = [report] * dist.get_world_size()
    dist.all_gather_object(reports, report)
    return reports


def _raise_agreed(reports: list[_Report], building: Path, step: int) -> None:
    """The same error on every rank, for one rank's trouble is everybody's; what was begun is removed."""
    failed = next((report.failure for report in reports if report.failure), None)
    poisoned = next((report.not_finite for report in reports if report.not_finite), None)
    if failed is None and poisoned is None:
        return
    dist.barrier()
    if dist.get_rank() == 0:
        shutil.rmtree(building, ignore_errors=True)
    raise failed or PretrainingError(not_finite_message(poisoned or "", step))


def not_finite_message(what: str, step: int) -> str:
    """The sentence for weights that a run has ruined."""
    return (
        f"after step {step} the {what} holds numbers that are not finite, so nothing of it is saved or exported; lower "
        "optimizer.learning_rate or raise schedule.warmup_steps (accept the change with --checkpoint.allow), and start "
        "again: the run goes on from its last checkpoint, which is sound"
    )


def _complete(
    building: Path, folder: Path, contents: dict[str, Any], reports: list[_Report], shapes: dict[str, list[int]]
) -> None:
    """The files common to all ranks; then the marker, the name, and `latest`."""
    step, target = contents["state"]["step"], building.with_suffix("")
    index: dict[str, Any] = {name: {"shape": shape, "parts": []} for name, shape in shapes.items()}
    for number, report in enumerate(reports):
        for name, first, last in report.ranges:
            index[name]["parts"].append([number, first, last])
    for name, data in ((TRAINER, dump(contents)), (INDEX, json.dumps(index, sort_keys=True) + "\n")):
        (building / name).write_text(data, encoding="utf-8")
    facts = {name: files.facts(building / name) for name in (TRAINER, INDEX)}
    for report in reports:
        facts |= report.files
    files.write_manifest(building, step, len(reports), facts)
    before = folder / f"{target.name}.removed"
    if target.exists():
        target.rename(before)
    building.rename(target)
    shutil.rmtree(before, ignore_errors=True)
    files.sync_folder(folder)
    files.write_durably(folder / "latest", target.name + "\n")
