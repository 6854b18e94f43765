"""The runs that sweeps plan and that have no result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.sweeps.attempts import ATTEMPTS, LOGS, OUTPUT, failure, gave_up, last_attempt, last_lines
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import PlannedRun, plan_runs
from finetuning.sweeps.stages import is_ruled_out
from finetuning.sweeps.table import SWEEP_FILE

TAIL_LINES = 10


@dataclass(frozen=True, slots=True)
class MissingRun:
    """A run of a sweep's table without a result: not started, going on, or given up."""

    folder: Path
    attempts: int
    last_line: str
    reason: str
    """Why it was given up, one of `finetuning.sweeps.attempts.Reason`; empty where it was not."""
    message: str
    job: str
    """The Slurm job of its last attempt, `4711` or `4711_3`."""
    log: str
    """The file with what it printed; empty where it never began."""
    tail: tuple[str, ...]
    """Its last lines."""


def find_missing(folders: Iterable[Path]) -> list[MissingRun]:
    """Runs that the sweeps in `folders` plan and that have no result, in the sweep's order.

    Counted are all tables that were ever swept into a folder: `sweep.json` and its forms of earlier calls.
    """
    missing: dict[Path, MissingRun] = {}
    for root in folders:
        tables = [root / SWEEP_FILE, *sorted(root.glob(f"{Path(SWEEP_FILE).stem}-*.json"))]
        for path in (table for table in tables if table.is_file()):
            config = _read_sweep(path)
            runs = plan_runs(config)
            for run in runs:
                if Result.exists(root / run.folder):
                    continue
                if gave_up(root, run) or not is_ruled_out(run, runs, config):
                    missing.setdefault(root / run.folder, _missing(root, run))
    return list(missing.values())


def _read_sweep(path: Path) -> SweepConfig:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # The folder may have been moved since; where it lies now is what counts.
        return SweepConfig.model_validate(content | {"output": str(path.parent)})
    except (ValueError, TypeError) as error:  # not UTF-8, not JSON, no object, or not the keys of a sweep
        problem = " ".join(str(error).split())
        raise FinetuningError(
            f"{path} is damaged or of another version ({problem}); delete it and start the sweep again, which writes it"
        ) from None


def _missing(root: Path, run: PlannedRun) -> MissingRun:
    logs = root / LOGS / run.folder
    attempts, output = logs / ATTEMPTS, logs / OUTPUT
    count = len(attempts.read_text(encoding="utf-8").splitlines()) if attempts.is_file() else 0
    lines, mark = last_lines(output, TAIL_LINES), failure(root, run)
    return MissingRun(
        root / run.folder,
        count,
        lines[-1] if lines else "not started",
        reason=str(mark.get("reason", "")),
        message=str(mark.get("message", "")),
        job=str(mark.get("job") or last_attempt(attempts).get("job") or ""),
        log=str(output) if lines else "",
        tail=tuple(lines),
    )
