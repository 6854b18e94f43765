"""Runs that started from one and the same fine-tuned run: they share its luck."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetuning.reporting.gather import FinishedRun
from finetuning.run.result import RESULT_FILE


def starts_of(runs: Sequence[FinishedRun]) -> list[str] | None:
    """The fine-tuned weights that each run started from, by their fingerprint; None where they are no run's.

    Runs from a pretrained checkpoint share that too, but it is what they are the measure of.
    """
    if not all(run.from_mnli or _is_of_a_run(run.result.model) for run in runs):
        return None
    return [run.result.model_fingerprint for run in runs]


def start_note(runs: Sequence[FinishedRun]) -> str:
    """What a shared start means for the figures of one setting; empty where nothing is shared."""
    starts = starts_of(runs)
    if starts is None or len(set(starts)) == len(starts):
        return ""
    if len(set(starts)) == 1:
        where = Path(runs[0].result.model)
        return (
            f"all {len(runs)} runs start from one fine-tuned run ({where.parent if where.name == 'model' else where}), "
            "so these figures hold for that start: what another one would give is in no interval"
        )
    return (
        f"{len(runs)} runs from {len(set(starts))} fine-tuned runs: those of one start are not independent, and "
        "count as one in the interval"
    )


def _is_of_a_run(model: str) -> bool:
    folder = Path(model)
    return folder.name == "model" and (folder.parent / RESULT_FILE).is_file()
