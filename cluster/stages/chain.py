"""A chain of stages on one machine, as the demo and the reproduction run it.

Each stage is a command, run once, skipped when complete, taken up again when not. It is complete when its marker says
so, and the marker is written after the command has ended well. The marker carries a key: a hash of the command, of the
code that it runs, and of the key of the stage before. A stage whose key has changed starts from an empty output, and
what it had is removed, or set aside if it took long to make; one that was merely interrupted keeps what it has, and the
command itself decides what of that is complete.
"""

import hashlib
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cluster.errors import ClusterError
from cluster.process_tree import end_process_tree
from cluster.snapshot import ROOT

MARKERS, LOCK = "stages", "chain.lock"
DEAR = 600  # seconds: what took as long to make is not removed when the code has changed


@dataclass(frozen=True)
class Stage:
    """One command of a chain.

    `packages` are the folders of this project that the command runs; `inputs` files from outside the chain;
    `outputs` what it writes, all of it below the chain's folder.
    """

    name: str
    title: str
    command: tuple[str, ...]
    outputs: tuple[Path, ...]
    packages: tuple[str, ...]
    inputs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Marker:
    """What is known of a stage: `state` is running or complete; `seconds` sums over all attempts."""

    key: str
    state: str
    command: tuple[str, ...]
    attempts: int
    seconds: float


def run_chain(stages: Sequence[Stage], folder: Path, *, quiet: bool = False) -> dict[str, Marker]:
    """Run what is not complete, in order; the markers by stage name. With `quiet` only the logs tell of it.

    Raises `ClusterError` when a command fails or another process runs a chain in this folder, and `KeyboardInterrupt`
    once its processes have ended.
    """
    from preprocessing.folder_lock import FolderLock

    markers: dict[str, Marker] = {}
    key = ""
    # A second chain would take what the first is making for the rest of one that was interrupted, or remove it.
    with FolderLock(folder / MARKERS, LOCK, "give another --output", error=ClusterError):
        for number, stage in enumerate(stages, 1):
            key = stage_key(stage, before=key)
            markers[stage.name] = _run_stage(stage, key, folder, f"[{number}/{len(stages)}]", quiet=quiet)
    return markers


def stage_key(stage: Stage, before: str) -> str:
    """Hex digest that changes with the command, its code, its inputs and everything before it in the chain."""
    digest = hashlib.sha256(before.encode())
    digest.update(json.dumps(stage.command).encode())
    for package in stage.packages:
        for file in sorted((ROOT / package).rglob("*")):
            if file.suffix in {".py", ".toml", ".html"}:
                digest.update(file.relative_to(ROOT).as_posix().encode())
                digest.update(file.read_bytes())
    for file in stage.inputs:
        status = file.stat()
        digest.update(f"{file} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def read_marker(file: Path) -> Marker | None:
    """The marker in `file`, or None where there is none."""
    if not file.exists():
        return None
    fields = json.loads(file.read_text(encoding="utf-8"))
    return Marker(**{**fields, "command": tuple(fields["command"])})


def _write(file: Path, marker: Marker) -> None:
    from preprocessing.atomic_file import write_text

    write_text(file, json.dumps(asdict(marker), indent=1))


def _run_stage(stage: Stage, key: str, folder: Path, place: str, *, quiet: bool) -> Marker:
    marker_file = folder / MARKERS / f"{stage.name}.json"
    marker = read_marker(marker_file)
    if marker and marker.key == key and marker.state == "complete" and all(o.exists() for o in stage.outputs):
        if not quiet:
            print(f"{place} {stage.title}: complete ({marker.seconds:.0f} s), skipped", flush=True)
        return marker
    if marker is None or marker.key != key:
        for output in stage.outputs:
            if marker is None and output.exists():
                raise ClusterError(
                    f"{output} is there, and no {marker_file} says that it is this program's own; give another "
                    "--output, or remove it"
                )
            _clear(output, folder, marker)
        marker = Marker(key, "running", stage.command, attempts=0, seconds=0.0)
    marker = replace(marker, state="running", attempts=marker.attempts + 1)
    _write(marker_file, marker)

    if not quiet:
        print(f"{place} {stage.title}\n      $ {' '.join(stage.command)}", flush=True)
    started = time.monotonic()
    try:
        code = _run_command(stage.command, folder / "logs" / f"{stage.name}.log", quiet=quiet)
    finally:
        marker = replace(marker, seconds=round(marker.seconds + time.monotonic() - started, 2))
        _write(marker_file, marker)
    if code != 0:
        raise ClusterError(
            f"stage {stage.name} failed with exit code {code}; its output is in {folder / 'logs' / stage.name}.log; "
            "mend the cause and run the same command again: what is complete is kept"
        )
    missing = [str(output) for output in stage.outputs if not output.exists()]
    if missing:
        raise ClusterError(f"stage {stage.name} ended well but left no {', '.join(missing)}")
    marker = replace(marker, state="complete")
    _write(marker_file, marker)
    return marker


def _run_command(command: Sequence[str], log: Path, *, quiet: bool) -> int:
    """Run to the end, copying its output to the log and, unless `quiet`, to this process's own; the exit code."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # A session of its own: Ctrl-C reaches this process alone, which then ends the whole tree in order.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
    )
    assert process.stdout is not None
    try:
        with log.open("a", encoding="utf-8") as stream:
            for line in process.stdout:
                stream.write(line)
                stream.flush()
                if not quiet:
                    sys.stdout.write("      " + line)
                    sys.stdout.flush()
        return process.wait()
    except BaseException:
        end_process_tree(process.pid)
        raise


def _clear(output: Path, folder: Path, marker: Marker | None) -> None:
    if not output.resolve().is_relative_to(folder.resolve()):
        raise ClusterError(f"{output} lies outside {folder} and is not removed; choose another --output")
    if marker is not None and marker.seconds >= DEAR and output.exists():
        places = (output.with_name(f"{output.name}.before-{number}") for number in itertools.count(1))
        place = next(place for place in places if not place.exists())
        output.rename(place)
        minutes = marker.seconds / 60
        text = f"{output}: {minutes:.0f} minutes of other code, inputs or options; begun anew, and kept as {place}"
        print(text, file=sys.stderr, flush=True)
    elif output.is_dir():
        shutil.rmtree(output)
    else:
        output.unlink(missing_ok=True)
