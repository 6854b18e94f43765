"""Ranks as real processes that do not find one another, or should not."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from pretraining.rendezvous import Place
from pretraining.rendezvous.comer import CAME, in_this_start

FACTS = {"the run": "runs/a", "the code": "0123", "training.steps": "10"}
SECONDS = 4.0


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """Forks ranks out of a process that has imported torch."""
    here, root = str(Path(__file__).parent), str(Path(__file__).parents[3])
    context = multiprocessing.get_context("forkserver")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([here, root, *([before] if before else [])])
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    sys.path.insert(0, here)
    context.set_forkserver_preload(["meeting_rank"])
    yield context
    sys.path.remove(here)
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


class Ranks:
    """Processes of one test, and what they said."""

    def __init__(self, server: Any, folder: Path, port: int) -> None:
        self.server, self.folder, self.port = server, folder, port
        self.processes: list[Any] = []
        self.logs: list[Path] = []

    def start(
        self,
        rank: int,
        world_size: int,
        *,
        seconds: float = SECONDS,
        address: str = "127.0.0.1",
        environment: dict[str, str] | None = None,
        **facts: str,
    ) -> None:
        """Another rank; `facts` differ from FACTS, with _ for blanks and dots."""
        from meeting_rank import run_rank  # type: ignore[import-not-found]

        known = {name.replace(" ", "_").replace(".", "_"): name for name in FACTS}
        different = {known[name]: value for name, value in facts.items()}
        self.logs.append(self.folder / f"{len(self.logs)}.log")
        place = Place(rank, world_size, address, self.port)
        arguments = (place, FACTS | different, seconds, str(self.logs[-1]), environment or {})
        process = self.server.Process(target=run_rank, args=arguments)
        process.start()
        self.processes.append(process)

    def codes(self, seconds: float = 60.0) -> list[int]:
        deadline = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
        assert all(process.exitcode is not None for process in self.processes), self.said
        return [process.exitcode for process in self.processes]

    @property
    def said(self) -> list[str]:
        return [log.read_text() if log.exists() else "" for log in self.logs]

    def until_seated(self, count: int) -> None:
        """So many have come to rank 0."""
        client = dist.TCPStore("127.0.0.1", self.port, None, False, timedelta(seconds=60), wait_for_workers=False)
        store, deadline = in_this_start(client), time.monotonic() + 60
        while store.add(CAME, 0) < count:
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)


@pytest.fixture
def ranks(server: Any, tmp_path: Path) -> Iterator[Ranks]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    made = Ranks(server, tmp_path, port)
    yield made
    for process in made.processes:
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()


def test_all_come_in_any_order(ranks: Ranks) -> None:
    for rank in (2, 0, 1):
        ranks.start(rank, 3, seconds=60)
    assert ranks.codes() == [0, 0, 0], ranks.said
    assert [said.strip() for said in ranks.said] == ["met 3"] * 3


def test_who_did_not_come_is_named_on_all(ranks: Ranks) -> None:
    for rank in (0, 2):
        ranks.start(rank, 4)
    assert ranks.codes() == [75, 75], ranks.said
    for said in ranks.said:
        assert f"2 ranks (1, 3) of 4 did not come to 127.0.0.1:{ranks.port} within 4 s" in said
        assert f"(here: 2 ranks (0, 2) on {socket.gethostname()})" in said


def test_rank_0_does_not_come(ranks: Ranks, monkeypatch: pytest.MonkeyPatch) -> None:
    ranks.start(1, 2, seconds=1)
    assert ranks.codes() == [75], ranks.said
    assert "did not find rank 0" in ranks.said[0]
    assert "Connection refused; was rank 0 started there?" in ranks.said[0]


def test_a_name_that_nobody_knows(ranks: Ranks) -> None:
    ranks.start(1, 2, seconds=1, address="no-such-machine.invalid")
    assert ranks.codes() == [75], ranks.said
    assert "knows no host 'no-such-machine.invalid'" in ranks.said[0]


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH\r\n"], ids=["a silent program", "one that talks"])
def test_another_program_at_the_port(ranks: Ranks, greeting: bytes) -> None:
    """torch alone waits without end for one that is silent."""
    with socket.create_server(("127.0.0.1", ranks.port)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                if greeting:
                    connection.sendall(greeting)
                    connection.close()

        connections: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        ranks.start(0, 2)
        ranks.start(1, 2, seconds=1)
        assert ranks.codes() == [75, 75], ranks.said
        listener.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()
    assert f"rank 0 cannot listen at port {ranks.port}" in ranks.said[0]
    assert "a program listens there that does not answer as rank 0 does" in ranks.said[1]


def test_rank_0_is_not_at_the_address(ranks: Ranks) -> None:
    """An address of documentation (RFC 5737), which no machine has."""
    ranks.start(0, 2, seconds=1, address="192.0.2.1")
    assert ranks.codes() == [75], ranks.said
    assert "does not reach itself at 192.0.2.1" in ranks.said[0]


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"the_code": "4567"}, "the code is 4567 for rank 1, and 0123 for rank 0"),
        ({"training_steps": "20"}, "training.steps is 20 for rank 1, and 10 for rank 0"),
    ],
)
def test_a_machine_that_differs_ends_all_at_once(ranks: Ranks, facts: dict[str, str], sentence: str) -> None:
    ranks.start(0, 3, seconds=500)
    ranks.start(1, 3, seconds=500, **facts)
    ranks.start(2, 3, seconds=500)
    assert ranks.codes() == [2, 2, 2], ranks.said
    assert all(sentence in said for said in ranks.said)


def test_another_number_of_ranks(ranks: Ranks) -> None:
    ranks.start(0, 2, seconds=500)
    ranks.start(3, 4, seconds=500)
    assert ranks.codes() == [2, 2], ranks.said
    assert "the number of ranks is 4 for rank 3, and 2 for rank 0" in ranks.said[0]


def test_another_run_at_the_same_port_is_turned_away(ranks: Ranks) -> None:
    ranks.start(0, 2, seconds=500)
    ranks.start(1, 2, seconds=500, the_run="runs/b")
    ranks.processes[1].join(60)
    assert ranks.processes[1].exitcode == 2, ranks.said
    assert "is of the run runs/b, and at 127.0.0.1" in ranks.said[1]
    ranks.start(1, 2, seconds=500)
    assert ranks.codes() == [0, 2, 0], ranks.said


def test_who_was_turned_away_is_told_when_the_time_is_up(ranks: Ranks) -> None:
    ranks.start(0, 2)
    ranks.start(1, 2, the_run="runs/b")
    assert ranks.codes() == [75, 2], ranks.said
    assert "turned away was rank 1 on" in ranks.said[0]


def test_one_number_for_two_machines(ranks: Ranks) -> None:
    ranks.start(0, 3, seconds=500)
    ranks.start(1, 3, seconds=500)
    ranks.until_seated(2)
    ranks.start(1, 3, seconds=500)
    deadline = time.monotonic() + 60
    while all(process.is_alive() for process in ranks.processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    ended = [index for index, process in enumerate(ranks.processes) if not process.is_alive()]
    assert len(ended) == 1, ranks.said
    assert "rank 1 came twice" in ranks.said[ended[0]]
    ranks.start(2, 3, seconds=500)
    assert sorted(ranks.codes()) == [0, 0, 0, 2], ranks.said


@pytest.mark.parametrize("who", [0, 1])
def test_a_signal_while_others_are_waited_for_ends_all(ranks: Ranks, who: int) -> None:
    for rank in (0, 1):
        ranks.start(rank, 3, seconds=500)
    ranks.until_seated(2)
    os.kill(ranks.processes[who].pid, signal.SIGTERM)
    assert ranks.codes() == [75, 75], ranks.said
    assert all("SIGTERM before all ranks had met" in said for said in ranks.said)


def test_rank_0_is_killed_while_others_wait(ranks: Ranks) -> None:
    for rank in (0, 1):
        ranks.start(rank, 3, seconds=500)
    ranks.until_seated(2)
    ranks.processes[0].kill()
    ranks.processes[1].join(60)
    assert ranks.processes[1].exitcode == 75, ranks.said
    assert "lost rank 0" in ranks.said[1]


def test_restarts_of_torchrun_meet_in_one_store(ranks: Ranks) -> None:
    """Its agent holds the store, and what an earlier start left there is not taken for this one's."""
    store = dist.TCPStore("127.0.0.1", ranks.port, None, True, wait_for_workers=False)
    for restart in ("0", "1"):
        agent = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": restart}
        for rank in (0, 1):
            ranks.start(rank, 2, seconds=60, environment=agent)
        assert set(ranks.codes()) == {0}, ranks.said
    del store
