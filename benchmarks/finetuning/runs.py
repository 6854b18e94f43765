"""One run of one side, in a process of its own, and what it leaves: a JSON file that a second start finds again."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks.finetuning.clock import Clock
from finetuning.atomic_file import write_json
from finetuning.errors import EXIT_MEMORY, FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.run.specification import RunSpec

Side = Literal["ours", "transformers"]
SIDES: tuple[Side, Side] = ("ours", "transformers")
PRELOADED = ["benchmarks.finetuning.ours", "benchmarks.finetuning.trainer", "deepspeed"]
"""Imported once, in the process that all runs are forked from: imports take longer than a short run. transformers
imports DeepSpeed, where it is installed, in the middle of its training, and would be timed with it."""


@dataclass(frozen=True)
class Run:
    """A run to do: `spec` says all but the side, and `file` is where its outcome goes."""

    name: str
    """Of the comparison."""
    side: Side
    spec: RunSpec
    data_sha256: str
    file: Path

    @property
    def settings(self) -> dict[str, Any]:
        """What the outcome depends on: another start with other settings must not take it for its own."""
        versions = {package: version(package) for package in ("torch", "transformers")}
        # Of the task what its file says, not where it lies.
        task = hashlib.sha256(load_task(self.spec.task).model_dump_json().encode()).hexdigest()
        spec = self.spec.model_dump(mode="json", exclude={"output", "data", "task"})
        return {
            "name": self.name,
            "side": self.side,
            "task_sha256": task,
            "data_sha256": self.data_sha256,
            "versions": versions,
            **spec,
        }


def outcome(run: Run) -> dict[str, Any] | None:
    """What the run left; None where it is not done.

    Raises:
        FinetuningError: the file is damaged, or of a run with other settings.
    """
    try:
        content: dict[str, Any] = json.loads(run.file.read_bytes())
        settings = content["settings"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise FinetuningError(f"{run.file}: damaged; delete it and start again") from None
    wanted = run.settings
    if differing := sorted(key for key in wanted.keys() | settings.keys() if wanted.get(key) != settings.get(key)):
        key = differing[0]
        raise FinetuningError(
            f"{run.file}: was made with {key} {settings.get(key)!r}, not {wanted.get(key)!r}; choose another --output, "
            "or delete the file"
        )
    return content


def do(run: Run) -> None:
    """Do the run in this process and write its file.

    Raises:
        FinetuningError: wrong data or options.
    """
    if run.spec.threads is not None:
        torch.set_num_threads(run.spec.threads)
    if run.side == "ours":
        from benchmarks.finetuning.ours import ours as score_of
    else:
        from benchmarks.finetuning.trainer import theirs as score_of
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        score = score_of(run.spec.model_copy(update={"output": Path(folder)}), clock)
    found = {
        "settings": run.settings,
        "score": score,
        "seconds": clock.seconds,
        "processor_seconds": clock.processor_seconds,
        "threads": torch.get_num_threads(),
    }
    write_json(run.file, found)


def _child(run: Run, said: Connection) -> None:
    try:
        do(run)
    except FinetuningError as error:
        said.send(str(error))
        sys.exit(error.exit_code)


def execute(runs: Iterable[Run], jobs: int, report: Callable[[Run], None]) -> None:
    """Do those runs that are not done, in their order, each in a fresh process and at most `jobs` at a time.

    Raises:
        FinetuningError: a run failed; those that go on are ended, those that are done stay.
    """
    waiting = [run for run in runs if outcome(run) is None]
    if not waiting:
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    going: dict[Any, tuple[Run, Any, Connection]] = {}
    try:
        while waiting or going:
            while waiting and len(going) < jobs:
                heard, said = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(waiting[0], said))
                process.start()
                said.close()  # the child has its own; without it the end of the child is the end of the pipe
                going[process.sentinel] = waiting.pop(0), process, heard
            for sentinel in wait(list(going)):
                run, process, heard = going.pop(sentinel)
                process.join()
                if process.exitcode:
                    raise _failure(run, process.exitcode, heard)
                report(run)
    finally:
        for _, process, _ in going.values():
            process.terminate()
            process.join()


def _failure(run: Run, code: int, heard: Connection) -> FinetuningError:
    which = f"{run.name}, seed {run.spec.seed}, by {run.side}"
    try:
        error = FinetuningError(f"{which}: {heard.recv()}")
    except EOFError:  # it died, or printed a traceback
        error = FinetuningError(f"{which} ended with {code}; see above, and start again to go on")
    error.exit_code = EXIT_MEMORY if code == -signal.SIGKILL else max(code, 1)
    return error
