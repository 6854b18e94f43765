"""``state.json``, which scripts decide by: launchers lose exit codes on the way."""

import json
from pathlib import Path
from typing import Any

from preprocessing.atomic_file import write_text
from pretraining.run.trainer_state import dump


class StateFile:
    """How a run stands. Written by rank 0, or by the next one when that is lost.

    ``status`` is ``running``, ``finished``, ``stopped`` (at ``training.stop_at``: the same command does nothing more),
    ``interrupted`` (the same command goes on) or ``failed`` (something must be mended first); ``saved_step`` is that
    of the last checkpoint, null before the first; ``start`` the start of a Slurm job that wrote it, null elsewhere: a
    script can tell its own run's word from that of another job, or of an earlier start.
    """

    def __init__(self, folder: Path, steps: int, start: str | None = None) -> None:
        self.folder, self.steps, self.start = folder, steps, start
        self.is_ours = False  # a start that is refused leaves what stands there, perhaps another run's
        self.step = 0
        self.saved_step: int | None = None

    def go_on_from(self, before: dict[str, Any]) -> None:
        """Keeps the steps that an earlier start wrote (see `read_state`)."""
        self.step, self.saved_step = before.get("step", 0), before.get("saved_step")

    def write(self, status: str, reason: str | None = None, signal: str | None = None) -> None:
        """Replaces the file."""
        contents = {"status": status, "step": self.step, "steps": self.steps, "saved_step": self.saved_step}
        contents |= {"reason": reason, "signal": signal, "start": self.start}
        write_text(self.folder / "state.json", dump(contents))


def read_state(folder: Path) -> dict[str, Any]:
    """What a run last wrote; empty where there is nothing to read."""
    try:
        return dict(json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
