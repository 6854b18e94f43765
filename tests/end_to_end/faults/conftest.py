"""Runs of two ranks that tests hurt: stopped, killed, frozen, fed with bad numbers."""

import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from pretraining.run.checkpoint.reader import CheckpointReader
from pretraining.run.metrics import read_metrics

RECIPE = f"""{TINY_MODEL}
[training]
steps = 12
batch_size = 24
micro_batch_size = 12
[optimizer]
learning_rate = 1e-3
[evaluation]
examples = 24
[output]
export = false
"""
"""Everything else is as shipped: dropout, bf16, ZeRO stage 1, the measured peak, TensorBoard, log_every = 10."""


@dataclass
class Run:
    """The processes of one start."""

    folder: Path
    processes: list[Any]
    logs: list[Path]
    port: str = ""
    started: float = field(default_factory=time.monotonic)

    def wait(self, seconds: float = 120.0, ranks: Sequence[int] | None = None) -> list[int | None]:
        """The exit codes, when all (or these) ranks have ended; fails with what they said when they do not."""
        chosen = range(len(self.processes)) if ranks is None else ranks
        deadline = time.monotonic() + seconds
        for rank in chosen:
            self.processes[rank].join(max(0.0, deadline - time.monotonic()))
        assert all(self.processes[rank].exitcode is not None for rank in chosen), self.said
        return [self.processes[rank].exitcode for rank in chosen]

    def end_like_a_launcher(self, seconds: float = 20.0) -> None:
        """After a rank was killed: ends those that wait for it before all have joined, as only launchers can.

        They are told by their markers, with time for one that is just joining.
        """
        deadline = time.monotonic() + seconds
        waiting = dict(enumerate(self.processes))
        while waiting and time.monotonic() < deadline:
            waiting = {rank: process for rank, process in waiting.items() if self._may_join(rank, process)}
            time.sleep(0.05)
        for process in waiting.values():
            process.kill()

    def _may_join(self, rank: int, process: Any) -> bool:
        return process.is_alive() and not Path(f"{self.logs[rank]}.joined").exists()

    def until(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert all(process.is_alive() for process in self.processes), self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)

    def until_step(self, step: int) -> None:
        """Waits until a logged step is written; `log_every` must be 1."""
        self.until(lambda: any(line["step"] >= step for line in steps_of(self.folder)))

    def signal(self, number: int, *ranks: int) -> None:
        for rank in ranks or range(len(self.processes)):
            os.kill(self.processes[rank].pid, number)

    @property
    def said(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in self.logs if log.exists())

    def end(self) -> None:
        for process in self.processes:
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
            process.join()


def steps_of(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_metrics(folder / "metrics.jsonl") if "event" not in line]


def events_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [line for line in read_metrics(folder / "metrics.jsonl") if line.get("event") == name]


def state_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "state.json").read_text()))


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """All weights and the ledger of the last checkpoint."""
    latest = (folder / "checkpoints" / "latest").read_text().strip()
    return CheckpointReader(folder / "checkpoints" / latest).weights()


def same_weights(left: Path, right: Path) -> bool:
    """Bit for bit, and the same examples in the same order."""
    one, other = weights_of(left), weights_of(right)
    assert one.keys() == other.keys()
    assert steps_of(left)[-1]["ledger"] == steps_of(right)[-1]["ledger"]
    return all(torch.equal(weight, other[name]) for name, weight in one.items())


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """Forks ranks out of a process that has imported everything."""
    here = str(Path(__file__).parent)
    context = multiprocessing.get_context("forkserver")
    before = os.environ.get("PYTHONPATH")
    root = str(Path(__file__).parents[3])
    os.environ["PYTHONPATH"] = os.pathsep.join([here, root, *([before] if before else [])])
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path[0:0] = [here]
    context.set_forkserver_preload(["rank_process"])
    yield context
    sys.path.remove(here)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("faults") / "shards")


@pytest.fixture
def start(server: Any, shards: Path, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """start(folder, *overrides, ranks=2, faults={rank: …}) → the processes; what is left of them ends with the test."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    runs: list[Run] = []

    def start(
        folder: Path,
        *overrides: str,
        ranks: int = 2,
        faults: dict[int, dict[str, Any]] | None = None,
        environment: dict[str, str] | None = None,
    ) -> Run:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        from rank_process import run_rank  # type: ignore[import-not-found]

        arguments = ["--config", str(recipe), f"--data.shards={shards}", f"--output.folder={folder}", *overrides]
        processes, logs = [], []
        for rank in range(ranks):
            variables = {
                "WORLD_SIZE": str(ranks),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": str(ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "CUDA_VISIBLE_DEVICES": "",
                **(environment or {}),
            }
            logs.append(tmp_path / f"{folder.name}-{len(runs)}-rank{rank}.log")
            process = server.Process(
                target=run_rank, args=(variables, arguments, str(logs[-1]), (faults or {}).get(rank, {}))
            )
            process.start()
            processes.append(process)
        runs.append(Run(folder, processes, logs, port))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


@pytest.fixture(scope="session")
def undisturbed(server: Any, shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the recipe above that nobody disturbed; made once."""
    folder = tmp_path_factory.mktemp("undisturbed")
    generator = start.__wrapped__(server, shards, folder)  # type: ignore[attr-defined]
    run = next(generator)(folder / "run")
    assert run.wait() == [0, 0], run.said
    return folder / "run"


@pytest.fixture(scope="session")
def helpers() -> Any:
    """The functions above, for test modules that cannot import this one."""
    return sys.modules[__name__]
