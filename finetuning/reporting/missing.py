"""The runs that sweeps plan and that have no result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.sweeps.attempts import ATTEMPTS, LOGS, OUTPUT
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import PlannedRun, plan_runs
from finetuning.sweeps.stages import is_later_seed, kept_settings
from finetuning.sweeps.table import SWEEP_FILE


@dataclass(frozen=True, slots=True)
class MissingRun:
    """A run of a sweep's table without a result: not started, going on, or given up."""

    folder: Path
    attempts: int
    last_line: str


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
                if not Result.exists(root / run.folder) and not _given_up_by_rule(run, runs, config):
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


def _given_up_by_rule(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> bool:
    if not is_later_seed(run, config):
        return False
    settings, unfinished = kept_settings(run, runs, config)
    return not unfinished and run.setting not in settings


def _missing(root: Path, run: PlannedRun) -> MissingRun:
    logs = root / LOGS / run.folder
    attempts, output = logs / ATTEMPTS, logs / OUTPUT
    count = len(attempts.read_text(encoding="utf-8").splitlines()) if attempts.is_file() else 0
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines() if output.is_file() else []
    return MissingRun(root / run.folder, count, lines[-1] if lines else "not started")
