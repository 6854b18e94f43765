"""One rank of a run as a process that can be hurt: forked from a server that has imported everything.

A start costs seconds less; signals and exit codes are those of real processes. ``faults`` are put in at exact places:

- ``step_seconds``: every step takes so long more;
- ``evaluation_seconds``: every micro-batch of an evaluation does;
- ``bad_gradient``: steps (by the index of their first draw) whose gradient is not a number on this rank;
- ``bad_loss``: steps whose loss is infinite on this rank;
- ``bad_weight``: after this step (from 1) a weight is infinite;
- ``lock_seconds``: how long it waits for a folder that is in use;
- ``kill``: [module, function, call]: SIGKILL when that function is called for the nth time;
- ``full``: the same, "No space left on device" instead.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

# Imported here so that no rank needs to.
import deepspeed.runtime.zero.muon.muon_optimizer  # noqa: F401
import torch
import torch.utils.tensorboard

from preprocessing import folder_lock
from pretraining.data.examples import Examples
from pretraining.main import main
from pretraining.run import loop, pretrain


def run_rank(environment: dict[str, str], arguments: list[str], log: str, faults: dict[str, Any]) -> None:
    """The body of the process; never returns."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    for name in [name for name in os.environ if name.startswith(("SLURM_", "RANK", "WORLD_", "LOCAL_"))]:
        del os.environ[name]
    os.environ.update(environment)
    os.chdir(Path(__file__).parents[3])
    put_in(faults)
    tell_when_joined(Path(f"{log}.joined"))
    code = 1
    try:
        code = main(arguments)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(code)


def tell_when_joined(marker: Path) -> None:
    """Until all ranks have joined only a launcher hears of one that is killed; tests must know."""
    whole = pretrain.start_processes

    def start_processes(*arguments: Any) -> Any:
        device = whole(*arguments)
        marker.touch()
        return device

    pretrain.start_processes = start_processes


def put_in(faults: dict[str, Any]) -> None:
    """Changes the program where the faults are to happen."""
    for action, what in (("kill", kill), ("full", full)):
        if action in faults:
            module, function, call = faults[action]
            on_call(module, function, call, what)
    folder_lock.WAIT_SECONDS = faults.get("lock_seconds", folder_lock.WAIT_SECONDS)
    plain, spoiling, current = loop.train_step, loop.spoiling, [-1]

    def train_step(engine: Any, batch: Any, ranks: int) -> torch.Tensor:
        time.sleep(faults.get("step_seconds", 0.0))
        current[0] = batch.position.index
        sums = plain(engine, batch, ranks)
        if engine.global_steps == faults.get("bad_weight"):
            next(engine.module.parameters()).data.view(-1)[0] = float("inf")
            ruin(engine)
        return sums

    def spoilt(loss: torch.Tensor) -> torch.Tensor:
        if current[0] in faults.get("bad_loss", ()):
            return spoiling(loss * float("inf"))
        factor = spoiling(loss)
        return factor * float("nan") if current[0] in faults.get("bad_gradient", ()) else factor

    loop.train_step, loop.spoiling = train_step, spoilt
    if "evaluation_seconds" in faults:
        pack = Examples.pack

        def slowly(examples: Examples, *arguments: Any, **named: Any) -> Any:
            if "seed" not in named:
                time.sleep(faults["evaluation_seconds"])
            return pack(examples, *arguments, **named)

        Examples.pack = slowly  # type: ignore[method-assign]


def ruin(engine: Any) -> None:
    """Makes a weight infinite where the optimiser keeps it."""
    groups = getattr(engine.optimizer, "single_partition_of_fp32_groups", None)
    if groups is not None:
        groups[0].data.view(-1)[0] = float("inf")


def on_call(module: str, function: str, call: int, what: Callable[[], None]) -> None:
    """Lets `what` happen instead of the nth call of a function."""
    owner = import_module(module)
    plain, calls = getattr(owner, function), [0]

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            what()
        return plain(*arguments, **named)

    setattr(owner, function, counted)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def full() -> None:
    raise OSError(28, "No space left on device", "a file of the checkpoint")
