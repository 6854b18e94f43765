"""A Dask cluster of two "nodes" (processes on this machine) runs one command and ends with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cluster.engines import dask_driver, dask_workers

PROGRAM = """
import sys
from distributed import Client
with Client(scheduler_file=sys.argv[1]) as client:
    client.wait_for_workers(int(sys.argv[2]), timeout=100)
    print("address", client.scheduler.address)
    print("sum", client.submit(sum, [1, 2, 3]).result())
raise SystemExit(5)
"""
CALLER = """
import sys
from distributed import Client
from distributed.security import Security
keys = {"own": Security.temporary, "none": lambda: None}
try:
    with Client(sys.argv[1], security=keys[sys.argv[2]](), timeout=20) as client: print("in")
except Exception: print("out")
"""


class Cluster:
    """Its processes, and where they meet."""

    def __init__(self, folder: Path) -> None:
        self.meeting = folder / "meeting"
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, module: str, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", f"cluster.engines.{module}", "--meeting", str(self.meeting), *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.processes.append(subprocess.Popen(command, text=True, env=environment, **pipes))
        return self.processes[-1]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    cluster = Cluster(tmp_path)
    yield cluster
    for process in cluster.processes:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.communicate()


@pytest.mark.slow
def test_two_nodes_run_the_command_and_hand_back_its_exit_code(nodes: Cluster, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    workers = [nodes.start("dask_workers", "--workers", "1") for _ in range(2)]
    driver = nodes.start("dask_driver", "--", sys.executable, str(program), f"{nodes.meeting}/scheduler.json", "2")
    output, errors = driver.communicate(timeout=200)
    assert "sum 6" in output, errors
    assert "address tls://" in output
    assert driver.returncode == 5
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    assert [worker.communicate() for worker in workers] == [("", "")] * 2
    assert errors == "", "nothing is said of Dask's coming and going"
    assert not nodes.meeting.exists()


@pytest.mark.slow
def test_whoever_lacks_the_key_is_kept_out(nodes: Cluster, tmp_path: Path) -> None:
    wait = "import time; time.sleep(300)"
    driver = nodes.start("dask_driver", "--", sys.executable, "-c", wait)
    nodes.start("dask_workers", "--workers", "1")
    address_file, deadline = nodes.meeting / "scheduler.json", time.monotonic() + 100
    while not address_file.exists():
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.1)
    address = dask_workers.Meeting(nodes.meeting).address()
    assert address is not None

    def call(where: str, key: str, **environment: str) -> str:
        command = [sys.executable, "-c", CALLER, where, key]
        called = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
        return called.stdout.strip()

    assert call(address, "none", DASK_CONFIG=str(nodes.meeting / "dask.yaml")) == "in"
    assert call(address, "own") == "out"
    assert call(address.replace("tls://", "tcp://"), "none") == "out"
    assert (nodes.meeting.stat().st_mode & 0o077, (nodes.meeting / "dask.yaml").stat().st_mode & 0o077) == (0, 0)
    # No port of pages that others reach.
    tree = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    listening = {c.laddr for p in tree for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    guarded = int(address.rpartition(":")[2])
    assert [where for where in listening if where.ip != "127.0.0.1" and where.port != guarded] == []


@pytest.mark.slow
def test_who_asks_the_driver_to_end_asks_the_command(nodes: Cluster, tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = tmp_path / "program.py"
    program.write_text(
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\n"
        f"pathlib.Path({str(started)!r}).touch()\ntime.sleep(300)\n"
    )
    driver = nodes.start("dask_driver", "--", sys.executable, str(program))
    worker = nodes.start("dask_workers", "--workers", "1")
    deadline = time.monotonic() + 200
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(timeout=60) == 130
    assert worker.wait(timeout=60) == 0


@pytest.mark.slow
def test_without_a_worker_it_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    monkeypatch.setattr(dask_driver, "SECONDS_TO_GATHER", 1.0)
    assert dask_driver.main(["--meeting", str(tmp_path / "m"), "--", "false"]) == 75
    assert capsys.readouterr().err == "dask_driver: no worker came within 1 s; see above\n"


def test_an_interface_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    monkeypatch.setattr(dask_driver, "SECONDS_TO_LEAVE", 0.0)
    assert dask_driver.main(["--meeting", str(tmp_path / "m"), "--interface", "fnord0", "--", "true"]) == 2
    assert capsys.readouterr().err == "dask_driver: Dask's scheduler did not start on the first node; see above\n"


@pytest.mark.parametrize("module", [dask_driver, dask_workers])
def test_a_wrong_option_is_one_sentence(module, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert module.main(["--meeting", str(tmp_path), "--workerz", "1", "--", "true", "--meting"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_after_two_hyphens_is_handed_on_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken = []
    monkeypatch.setattr(dask_driver, "run", lambda *arguments: taken.append(arguments) or 5)
    words = ["beam", "run", "x.py", "--interface=2", "--meeting", "other"]
    assert dask_driver.main(["--meeting", str(tmp_path), "--", *words]) == 5
    assert taken == [(dask_workers.Meeting(tmp_path), words, None)]
