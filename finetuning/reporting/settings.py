"""What the report says of each setting of a model on a task, and of the best one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from finetuning.reporting.best_setting import Choice, choice_interval, held_out_mean, widened
from finetuning.reporting.crossed import crossed
from finetuning.reporting.gather import FinishedRun
from finetuning.reporting.significance import IntervalMethod, expected_best, summarise
from finetuning.reporting.starts import start_note, starts_of

TRIES = (1, 2, 5, 10)
"""Budgets of runs whose expected best is given."""


def by_setting(runs: Sequence[FinishedRun]) -> list[list[FinishedRun]]:
    """The runs of one model on one task, a list a setting, by seed."""
    return [
        sorted((run for run in runs if run.setting == setting), key=lambda run: run.result.seed)
        for setting in sorted({run.setting for run in runs})
    ]


def setting_row(runs: Sequence[FinishedRun], method: IntervalMethod) -> dict[str, Any]:
    """The figures of one setting."""
    scores, starts = [run.result.score for run in runs], starts_of(runs)
    sound = [run for run in runs if not run.result.failed_run]
    without_failed = (
        summarise([run.result.score for run in sound], method=method, starts=starts_of(sound))
        if 0 < len(sound) < len(runs)
        else None
    )
    return {
        "setting": runs[0].setting_text,
        "learning_rate": runs[0].result.learning_rate,
        "batch_size": runs[0].result.batch_size,
        "epochs": runs[0].result.epochs,
        "from_mnli": runs[0].from_mnli,
        "options": list(runs[0].options),
        "seeds": [run.result.seed for run in runs],
        "scores": scores,
        "summary": asdict(summarise(scores, method=method, starts=starts)),
        "summary_without_failed": without_failed and asdict(without_failed),
        "expected_best": {str(tries): expected_best(scores, tries) for tries in TRIES if tries <= len(scores)},
        "failed": len(scores) - len(sound),
        "failures": dict(Counter(run.result.failure for run in runs if run.result.failure)),
        "near_constant": sum(run.result.is_near_constant for run in runs),
        "stopped_early": sum(run.result.stopped_early for run in runs),
        "starts": None if starts is None else len(set(starts)),
        "start_note": start_note(runs),
        # Seeds change neither rows nor tokens. Empty in results of earlier versions.
        "truncation": {name: asdict(counts) for name, counts in runs[0].result.truncation.items()},
        "metrics": {
            name: _mean([run.result.metrics[name] for run in runs])
            for name in runs[0].result.metrics
            if all(name in run.result.metrics for run in runs)  # results of earlier versions have fewer
        },
        "seconds_per_epoch": _mean([run.result.seconds_per_epoch for run in runs]),
    }


def best_of(settings: Sequence[Sequence[FinishedRun]]) -> Sequence[FinishedRun]:
    """The runs of the setting with the highest mean among those with the most seeds.

    Few seeds are often lucky ones, so a setting with fewer than the others does not compete.
    """
    return max(settings, key=lambda runs: (len(runs), _mean([run.result.score for run in runs])))


def best_row(settings: Sequence[Sequence[FinishedRun]], method: IntervalMethod) -> dict[str, Any]:
    """What is said of the best setting alone: `chosen`, `sampling` (or `sampling_note`, why not) and `interval`.

    `interval` allows for seeds, dev rows and the choice, as far as `allows_for` says.
    """
    runs = best_of(settings)
    scores, starts = [run.result.score for run in runs], starts_of(runs)
    rivals = [{run.result.seed: run.result.score for run in others} for others in settings if len(others) == len(runs)]
    held_out, seeds = held_out_mean(rivals)
    # All that were tried: one with fewer seeds was perhaps left out for its first scores.
    interval = choice_interval(scores, len(settings), method=method, starts=starts)
    choice = Choice(len(settings), interval, held_out, seeds)
    errors, note = crossed(runs)
    allows_for = ["seeds", "choice of setting"] if len(settings) > 1 else ["seeds"]
    if interval is not None and errors is not None and errors.error_of_both is not None:
        wide, allows_for = widened(_mean(scores), errors.error_of_both, len(settings)), [*allows_for, "dev rows"]
        # Rows bring degrees of freedom, which must not make it narrower than seeds alone.
        interval = replace(wide, low=min(wide.low, interval.low), high=max(wide.high, interval.high))
    return {
        "chosen": asdict(choice),
        "sampling": errors and asdict(errors),
        "sampling_note": note,
        "interval": interval and asdict(interval),
        "allows_for": allows_for if interval else [],
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
