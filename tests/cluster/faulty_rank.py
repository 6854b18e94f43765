"""One rank of a preflight that something is wrong with: `faulty_rank.py FAULT[,FAULT] [option of the preflight]`."""

import os
import sys
import time
from typing import Any

import torch.distributed as dist

from cluster.checks import clocks, matrices
from cluster.preflight import main


def clock_an_hour_ahead() -> None:
    clocks.now = lambda: time.time() + 3600  # type: ignore[assignment]


def receives_wrongly() -> None:
    """The first number of whatever another node sends arrives as −1."""
    send_and_receive = dist.batch_isend_irecv

    def corrupted(operations: list[dist.P2POp]) -> list[Any]:
        for work in send_and_receive(operations):
            work.wait()
        for operation in operations:
            if operation.op is dist.irecv:
                operation.tensor[0] = -1
        return []

    dist.batch_isend_irecv = corrupted


def device_fails() -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("the device is lost")

    matrices.measure = failing  # type: ignore[assignment]


def counts_late() -> None:
    """Rank 0 begins to wait when all but one of the others are there, however busy the machine is."""
    prefixed = dist.PrefixStore

    def patient(prefix: str, store: dist.Store) -> dist.Store:
        found = prefixed(prefix, store)
        while prefix.startswith("preflight") and found.add("here", 0) < int(os.environ["WORLD_SIZE"]) - 2:
            time.sleep(0.05)
        return found

    dist.PrefixStore = patient  # type: ignore[assignment,misc]


for fault in sys.argv[1].split(","):
    globals()[fault]()
sys.exit(main(sys.argv[2:]))
