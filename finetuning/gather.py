"""All finished runs below some folders, with the label of the model that each belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.execution import LOGS
from finetuning.grid import PlannedRun, SweepConfig, plan_runs
from finetuning.result import RESULT_FILE, Result
from finetuning.stages import is_later_seed, kept_settings

SWEEP_FILE = "sweep.json"
FROM_MNLI = "-from-mnli"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run's folder and result. `label`: the checkpoint under test, not the MNLI run that it may have started from."""

    folder: Path
    label: str
    from_mnli: bool
    result: Result

    @property
    def setting(self) -> tuple[float, int, float, bool]:
        """Everything but task, model and seed."""
        return (self.result.learning_rate, self.result.batch_size, self.result.epochs, self.from_mnli)

    @property
    def setting_text(self) -> str:
        """The setting in words."""
        start = ", from MNLI" if self.from_mnli else ""
        return f"{self.result.learning_rate:g}, batch {self.result.batch_size}, {self.result.epochs:g} epochs{start}"


@dataclass(frozen=True, slots=True)
class MissingRun:
    """A run of a sweep's table without a result: not started, going on, or given up."""

    folder: Path
    attempts: int
    last_line: str


def find_runs(folders: Iterable[Path]) -> list[FinishedRun]:
    """Every finished run below `folders` (sweeps, or single runs), sorted by folder.

    Raises FinetuningError when a folder does not exist or none holds a result.
    """
    folders = list(folders)
    runs: dict[Path, FinishedRun] = {}
    for root in folders:
        if not root.is_dir():
            raise FinetuningError(f"{root} is not a folder; give the output of a sweep or of a run")
        is_sweep = (root / SWEEP_FILE).is_file()
        for file in sorted(root.rglob(RESULT_FILE)):
            folder = file.parent
            result = Result.read(folder)
            label = folder.relative_to(root).parts[0] if is_sweep else _model_label(result)
            runs.setdefault(folder.resolve(), FinishedRun(folder, label, folder.name.endswith(FROM_MNLI), result))
    if not runs:
        raise FinetuningError(f"no finished run below {', '.join(map(str, folders))}; run finetuning.sweep first")
    return [runs[folder] for folder in sorted(runs)]


def find_missing(folders: Iterable[Path]) -> list[MissingRun]:
    """Runs that the sweeps in `folders` plan and that have no result, in the sweep's order."""
    missing = []
    for root in folders:
        path = root / SWEEP_FILE
        if not path.is_file():
            continue
        # The folder may have been moved since; where it lies now is what counts.
        config = SweepConfig.model_validate(json.loads(path.read_text(encoding="utf-8")) | {"output": str(root)})
        runs = plan_runs(config)
        for run in runs:
            if not Result.exists(root / run.folder) and not _given_up_by_rule(run, runs, config):
                missing.append(_missing(root, run))
    return missing


def predictions(run: FinishedRun, split: str) -> list[dict[str, Any]]:
    """The predictions of a run on a split. FinetuningError when the run did not predict it."""
    path = run.folder / f"predictions-{split}.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except FileNotFoundError:
        raise FinetuningError(
            f"{path}: no such file; when the run was made its data had no {split} split, or it was told not to predict"
        ) from None
    except ValueError as error:
        raise FinetuningError(f"{path} is damaged ({error}); delete its run's folder and run it again") from None


def best_run(runs: Sequence[FinishedRun]) -> FinishedRun:
    """The run with the highest dev score; of equal ones the first."""
    return max(runs, key=lambda run: run.result.score)


def _given_up_by_rule(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> bool:
    if not is_later_seed(run, config):
        return False
    settings, unfinished = kept_settings(run, runs, config)
    return not unfinished and run.setting not in settings


def _missing(root: Path, run: PlannedRun) -> MissingRun:
    logs = root / LOGS / run.folder
    attempts, output = logs / "attempts.jsonl", logs / "output.txt"
    count = len(attempts.read_text(encoding="utf-8").splitlines()) if attempts.is_file() else 0
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines() if output.is_file() else []
    return MissingRun(root / run.folder, count, lines[-1] if lines else "not started")


def _model_label(result: Result) -> str:
    path = Path(result.model.removeprefix("random:"))
    name = path.parent.name if path.name in ("export", "model") and path.parent.name else path.stem
    return f"random-{name}" if result.spec.random_weights or result.model.startswith("random:") else name
