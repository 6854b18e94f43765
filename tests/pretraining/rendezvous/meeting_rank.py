"""One rank that only meets the others, as a process of its own: prints what comes of it, and ends with its code."""

import os
import signal
import sys
import time
from typing import Any

from pretraining.errors import PretrainingError
from pretraining.rendezvous import Place
from pretraining.rendezvous.meeting import meet


def run_rank(place: Place, facts: dict[str, str], seconds: float, log: str, environment: dict[str, str]) -> None:
    """The body of the process; never returns."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.pop("TORCHELASTIC_USE_AGENT_STORE", None)
    os.environ.update(environment)
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, note)
    try:
        met = meet(place, facts, seconds, lambda: signal.Signals(asked[0]).name if asked else None)
        print(f"met {len(met.addresses)}")
        time.sleep(1.0 if place.rank == 0 else 0.0)  # the store ends with it, and others may be reading
        os._exit(0)
    except PretrainingError as error:
        print(f"error: {error}")
        os._exit(error.exit_code)
