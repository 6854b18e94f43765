"""The way to rank 0: a store of keys and values that it holds, and that the others look for."""

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist

from pretraining.errors import JoinError

_ANSWER = timedelta(seconds=10)  # for one question, and for one attempt to connect
_LOOK = 0.3  # seconds between two attempts
_PORT_IS_FREED = 30.0  # seconds that a start before this one may take to end


def is_guest() -> bool:
    """Whether torchrun's agent holds the store, so that rank 0 looks for it as the others do."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def hold(port: int, deadline: float) -> dist.Store:
    """On rank 0: starts the store, which lives as long as what is returned. JoinError where the port is taken.

    `deadline` is one of `time.monotonic`.
    """
    deadline = min(deadline, time.monotonic() + _PORT_IS_FREED)
    while True:
        try:
            # The process group asks for a store at this port again and gets the same one (`multi_tenant`).
            return dist.TCPStore(
                "127.0.0.1", port, None, True, timeout=_ANSWER, wait_for_workers=False, multi_tenant=True
            )
        except dist.DistError as error:
            if time.monotonic() > deadline:
                raise JoinError(
                    f"rank 0 cannot listen at port {port} of {socket.gethostname()}, which another program holds, or "
                    "an earlier start that has not ended; end that, or give all machines another port (MASTER_PORT, "
                    "`--master_port`)"
                ) from error
        time.sleep(_LOOK)


def look_for(address: str, port: int, note: Callable[[str], None]) -> dist.Store:
    """The store at `address`:`port`, as soon as one is there; looks without end.

    `note` is told what stands in the way, each time that is known anew.
    """
    while True:
        obstacle = _obstacle(address, port)
        if obstacle is None:
            note("a program listens there that does not answer as rank 0 does; is the port another program's?")
            try:
                return dist.TCPStore(address, port, None, False, timeout=_ANSWER, wait_for_workers=False)
            except dist.DistError:
                pass  # what was noted holds
        else:
            note(obstacle)
        time.sleep(_LOOK)


def _obstacle(address: str, port: int) -> str | None:
    """Why nobody can be reached there, in words; None where somebody listens."""
    try:
        with socket.create_connection((address, port), timeout=2.0):
            return None
    except socket.gaierror as error:
        return f"{socket.gethostname()} knows no host {address!r} ({error.strerror}); is the name right?"
    except TimeoutError:
        return "no answer; is the machine up, and the way to it open (route, firewall)?"
    except OSError as error:
        return f"{error.strerror or error}; was rank 0 started there?"
