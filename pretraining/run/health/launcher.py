"""The launcher that started this rank: whether it still lives.

`deepspeed` passes SIGTERM to no one, and `kill -9` cannot be passed on: the ranks would train on, unseen, beside
whatever is started next. Imports nothing heavy.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_LAUNCHERS = ("deepspeed", "torchrun", "torch.distributed")


@dataclass(frozen=True)
class Launcher:
    """The launcher's processes above this one: process id, and when it started in clock ticks since boot."""

    processes: tuple[tuple[int, int], ...]

    @classmethod
    def find(cls) -> "Launcher":
        """Walks up from this process as long as the parent is a launcher; empty without one, or without /proc."""
        found: list[tuple[int, int]] = []
        parent = os.getppid()
        while parent > 1 and any(word in _command(parent) for word in _LAUNCHERS):
            started = _started(parent)
            if started is None:
                break
            found.append((parent, started))
            parent = _parent(parent)
        return cls(tuple(found))

    def is_gone(self) -> bool:
        """True when one of them has ended."""
        return any(_started(process) != started for process, started in self.processes)


def _command(process: int) -> str:
    """Program and script of a process; its other arguments may hold any word."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return " ".join(words[:4])


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5)), after the name in brackets; empty for none."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _started(process: int) -> int | None:
    """When a process started; None for one that has ended."""
    fields = _stat(process)
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def _parent(process: int) -> int:
    fields = _stat(process)
    return int(fields[1]) if len(fields) > 1 else 0
