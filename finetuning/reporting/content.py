"""Everything that the report of a sweep says, as plain data; scores are fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.kinds.failure import Failure
from finetuning.reporting.comparison import compare_paired, holm, seeds_needed
from finetuning.reporting.error_analysis import analyse
from finetuning.reporting.gather import FinishedRun, best_run, find_runs
from finetuning.reporting.missing import find_missing
from finetuning.reporting.published import CITATION, beside, published
from finetuning.reporting.settings import best_of, best_row, by_setting, setting_row
from finetuning.reporting.significance import LEVEL, IntervalMethod
from finetuning.reporting.starts import starts_of

WHY: dict[Failure, str] = {
    "diverged": "the loss stopped being finite",
    "constant": "every dev row got the same answer",
    "not above the best constant": "at or below the best constant answer",
}


def build(folders: Sequence[Path], *, baseline: str | None = None, method: IntervalMethod = "t") -> dict[str, Any]:
    """Everything that the report says, as plain data; scores are fractions. FinetuningError when there are no runs."""
    runs = find_runs(folders)
    # What has no encoder stands behind the models, as their measure.
    labels = list(dict.fromkeys(run.label for run in sorted(runs, key=lambda run: run.result.baseline is not None)))
    paired = [run.label for run in runs if run.result.baseline is None]
    if baseline is not None and baseline not in labels:
        raise FinetuningError(f"--baseline {baseline}: there are no runs of it, only of {', '.join(labels)}")
    if baseline is not None and paired and baseline not in paired:
        raise FinetuningError(
            f"--baseline {baseline}: it has no settings, by which runs are paired; its scores stand beside the others'"
        )
    tasks = list(dict.fromkeys(run.result.task for run in runs))
    return {
        "folders": [str(folder) for folder in folders],
        "interval": {"method": method, "level": LEVEL},
        "models": labels,
        "tasks": [_task([run for run in runs if run.result.task == task], labels, method) for task in tasks],
        "failed_runs": [_failed(run) for run in runs if run.result.failed_run and not run.result.stopped_early],
        "near_constant_runs": [_near(run) for run in runs if run.result.is_near_constant],
        "judged_by_majority": sum(run.result.constant_score is None for run in runs),
        "stopped_early_runs": [_stopped(run) for run in runs if run.result.stopped_early],
        "missing_runs": [asdict(run) | {"folder": str(run.folder)} for run in find_missing(folders)],
        "comparisons": _comparisons(runs, labels, baseline or labels[0], method),
        "citation": CITATION,
    }


def _task(runs: list[FinishedRun], labels: Sequence[str], method: IntervalMethod) -> dict[str, Any]:
    first = runs[0].result
    models = []
    for label in labels:
        settings = by_setting([run for run in runs if run.label == label])
        if settings:
            rows = [setting_row(chosen, method) for chosen in settings]
            best = best_of(settings)
            best_setting = next(row for row, chosen in zip(rows, settings, strict=True) if chosen is best)
            errors = asdict(analyse(best_run([run for chosen in settings for run in chosen])))
            model = {"label": label, "best_setting": best_setting, "settings": rows, "errors": errors}
            model["all_metrics"] = beside(first.task, best_setting["metrics"])
            models.append(model | best_row(settings, method))
    return {
        "task": first.task,
        "metric": first.metric,
        "majority_score": first.majority_score,
        "constant_score": first.to_beat,
        "train_rows": first.train_rows,
        "dev_rows": first.dev_rows,
        "models": models,
        "published": [asdict(figure) for figure in published(first.task)],
    }


def _named(run: FinishedRun) -> dict[str, Any]:
    """What a list of remarkable runs says of each."""
    result = run.result
    return {
        "folder": str(run.folder),
        "task": result.task,
        "score": result.score,
        "majority_score": result.majority_score,
        "constant_score": result.to_beat,
    }


def _failed(run: FinishedRun) -> dict[str, Any]:
    failure = run.result.failure
    return _named(run) | {"failure": failure, "why": WHY[failure] if failure else ""}


def _near(run: FinishedRun) -> dict[str, Any]:
    low, high = run.result.above_constant or (0.0, 0.0)
    return _named(run) | {"above_constant": {"low": low, "high": high}}


def _stopped(run: FinishedRun) -> dict[str, Any]:
    return _named(run) | {"after_epochs": run.result.spec.stop_failed_after, "epochs": run.result.epochs}


def _comparisons(
    runs: Sequence[FinishedRun], labels: Sequence[str], baseline: str, method: IntervalMethod
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for label in labels:
        if label == baseline:
            continue
        for task in dict.fromkeys(run.result.task for run in runs):
            first, second = (
                {(run.setting, run.result.seed): run for run in runs if (run.label, run.result.task) == (name, task)}
                for name in (baseline, label)
            )
            paired = [key for key in first if key in second]
            if paired:
                scores = ({key: run.result.score for key, run in side.items()} for side in (first, second))
                comparison = asdict(compare_paired(*scores, method=method))
                note = _shared_starts([[side[key] for key in paired] for side in (first, second)])
                rows.append({"baseline": baseline, "model": label, "task": task, **comparison, "note": note})
    tested = [row for row in rows if row["p_value"] is not None]
    for row in rows:
        row |= {f"{name}_holm": None for name in ("p_value", "smallest_p_value")}
        row["seeds_needed"] = seeds_needed(len(tested))
    for name in ("p_value", "smallest_p_value"):  # an adjusted value never falls when one of them rises
        for row, adjusted in zip(tested, holm([row[name] for row in tested]), strict=True):
            row[f"{name}_holm"] = adjusted
    return rows


def _shared_starts(both: Sequence[Sequence[FinishedRun]]) -> str:
    """What it means for a comparison that paired runs share a fine-tuned start; empty where none do."""
    starts = [[start for run in side for start in starts_of([run]) or ()] for side in both]
    if all(len(set(found)) == len(found) for found in starts):
        return ""
    runs = " and ".join(str(len(found)) for found in starts)
    different = " and ".join(str(len(set(found))) for found in starts)
    return (
        f"of the two models' paired runs, {runs} start from {different} fine-tuned runs: the difference holds for "
        "these starts, and how far it hangs on them is in neither interval nor p"
    )
