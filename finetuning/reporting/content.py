"""Everything that the report of a sweep says, as plain data; scores are fractions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.reporting.error_analysis import analyse
from finetuning.reporting.gather import FinishedRun, best_run, find_runs
from finetuning.reporting.missing import find_missing
from finetuning.reporting.published import CITATION, published
from finetuning.reporting.significance import IntervalMethod, compare_paired, expected_best, holm, summarise


def build(folders: Sequence[Path], *, baseline: str | None = None, method: IntervalMethod = "t") -> dict[str, Any]:
    """Everything that the report says, as plain data; scores are fractions. FinetuningError when there are no runs."""
    runs = find_runs(folders)
    labels = list(dict.fromkeys(run.label for run in runs))
    if baseline is not None and baseline not in labels:
        raise FinetuningError(f"--baseline {baseline}: there are no runs of it, only of {', '.join(labels)}")
    tasks = list(dict.fromkeys(run.result.task for run in runs))
    return {
        "folders": [str(folder) for folder in folders],
        "interval": {"method": method, "level": 0.95},
        "models": labels,
        "tasks": [_task([run for run in runs if run.result.task == task], labels, method) for task in tasks],
        "failed_runs": [_failed(run) for run in runs if run.result.failed_run and not run.result.stopped_early],
        "stopped_early_runs": [_stopped(run) for run in runs if run.result.stopped_early],
        "missing_runs": [asdict(run) | {"folder": str(run.folder)} for run in find_missing(folders)],
        "comparisons": _comparisons(runs, labels, baseline or labels[0], method),
        "citation": CITATION,
    }


def _task(runs: list[FinishedRun], labels: Sequence[str], method: IntervalMethod) -> dict[str, Any]:
    first = runs[0].result
    models = []
    for label in labels:
        settings = []
        mine = [run for run in runs if run.label == label]
        for setting in sorted({run.setting for run in mine}):
            chosen = sorted((run for run in mine if run.setting == setting), key=lambda run: run.result.seed)
            settings.append(_setting(chosen, method))
        if settings:
            # Few seeds are often lucky ones, so a setting with fewer than the others does not compete.
            best = max(settings, key=lambda row: (row["summary"]["runs"], row["summary"]["mean"]))
            errors = asdict(analyse(best_run(mine)))
            models.append({"label": label, "best_setting": best, "settings": settings, "errors": errors})
    return {
        "task": first.task,
        "metric": first.metric,
        "majority_score": first.majority_score,
        "train_rows": first.train_rows,
        "dev_rows": first.dev_rows,
        "models": models,
        "published": [asdict(figure) for figure in published(first.task)],
    }


def _setting(runs: Sequence[FinishedRun], method: IntervalMethod) -> dict[str, Any]:
    scores = [run.result.score for run in runs]
    sound = [run.result.score for run in runs if not run.result.failed_run]
    return {
        "setting": runs[0].setting_text,
        "learning_rate": runs[0].result.learning_rate,
        "batch_size": runs[0].result.batch_size,
        "epochs": runs[0].result.epochs,
        "from_mnli": runs[0].from_mnli,
        "options": list(runs[0].options),
        "seeds": [run.result.seed for run in runs],
        "scores": scores,
        "summary": asdict(summarise(scores, method=method)),
        "summary_without_failed": asdict(summarise(sound, method=method)) if 0 < len(sound) < len(scores) else None,
        "expected_best": {str(tries): expected_best(scores, tries) for tries in (1, 2, 5, 10) if tries <= len(scores)},
        "failed": len(scores) - len(sound),
        "stopped_early": sum(run.result.stopped_early for run in runs),
        # Seeds change neither rows nor tokens. Empty in results of earlier versions.
        "truncation": {name: asdict(counts) for name, counts in runs[0].result.truncation.items()},
        "metrics": {name: _mean([run.result.metrics[name] for run in runs]) for name in runs[0].result.metrics},
        "seconds_per_epoch": _mean([run.result.seconds_per_epoch for run in runs]),
    }


def _named(run: FinishedRun) -> dict[str, Any]:
    """What a list of remarkable runs says of each."""
    result = run.result
    return {
        "folder": str(run.folder),
        "task": result.task,
        "score": result.score,
        "majority_score": result.majority_score,
    }


def _failed(run: FinishedRun) -> dict[str, Any]:
    why = "the loss stopped being finite" if run.result.diverged else "at or below the constant answer"
    return _named(run) | {"why": why}


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
                {
                    (run.setting, run.result.seed): run.result.score
                    for run in runs
                    if run.label == name and run.result.task == task
                }
                for name in (baseline, label)
            )
            if first.keys() & second.keys():
                comparison = asdict(compare_paired(first, second, method=method))
                rows.append({"baseline": baseline, "model": label, "task": task, **comparison})
    tested = [row for row in rows if row["p_value"] is not None]
    for row, adjusted in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_value_holm"] = adjusted
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
