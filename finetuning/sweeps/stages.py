"""What must wait for what in a sweep: tasks that start from MNLI, and settings that earn their further seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.sweeps.attempts import gave_up
from finetuning.sweeps.config import TRANSFER_SOURCE, SweepConfig
from finetuning.sweeps.grid import PlannedRun

MODEL_FOLDER = "model"


def split_stages(runs: Sequence[PlannedRun], config: SweepConfig) -> list[list[PlannedRun]]:
    """Runs of one stage do not depend on each other; each stage waits for the one before. Empty stages are left out."""
    stages: dict[tuple[int, bool], list[PlannedRun]] = defaultdict(list)
    for run in runs:
        stages[run.wave, is_later_seed(run, config)].append(run)
    return [stages[key] for key in sorted(stages)]


def is_later_seed(run: PlannedRun, config: SweepConfig) -> bool:
    """Whether the run is made only if its setting is among the best after the first seeds."""
    return config.first_seeds is not None and run.seed_place >= config.first_seeds


def stage_name(run: PlannedRun, config: SweepConfig) -> str:
    """What the stage of a run is called."""
    parts = ("from-mnli" if run.wave else "", "further-seeds" if is_later_seed(run, config) else "")
    return "-".join(filter(None, parts)) or "runs"


def is_ruled_out(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> bool:
    """Whether the first seeds are over, finished or failed, and the run's setting is not among the best."""
    if not is_later_seed(run, config):
        return False
    settings, unfinished = kept_settings(run, runs, config)
    return not unfinished and run.setting not in settings


def first_runs(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> list[PlannedRun]:
    """The runs of the first seeds, of all settings, of this run's model and task."""
    return [
        other
        for other in runs
        if (other.model_label, other.task_name) == (run.model_label, run.task_name) and not is_later_seed(other, config)
    ]


def kept_settings(
    run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig
) -> tuple[list[tuple[str, str, float, int, float]], list[PlannedRun]]:
    """The settings of this run's model and task that go on, best first; and its first runs that are still to come.

    Ranked by the mean score of the first seeds (successive halving with one rung; Jamieson and Talwalkar 2016,
    arXiv:1502.07943). Ties go to the setting that stands first in the sweep. One without a finished run is dropped.
    A run that failed for good is not waited for.
    """
    output = Path(config.output)
    scores: dict[tuple[str, str, float, int, float], list[float]] = {}
    unfinished = []
    for other in first_runs(run, runs, config):
        if Result.exists(output / other.folder):
            scores.setdefault(other.setting, []).append(Result.read(output / other.folder).score)
        elif not gave_up(output, other):
            unfinished.append(other)
    ranked = sorted(scores, key=lambda setting: -sum(scores[setting]) / len(scores[setting]))  # stable
    return ranked[: config.keep_settings], unfinished


def best_source(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> PlannedRun | None:
    """The best finished MNLI run of this run's model, of equal ones the first; None where none is finished.

    With `mnli_run = "same seed"` the best of the run's own seed.
    """
    output = Path(config.output)
    found = [
        other
        for other in runs
        if other.model_label == run.model_label
        and other.task_name == TRANSFER_SOURCE
        and (config.mnli_run == "best" or other.seed == run.seed)
        and Result.exists(output / other.folder)
    ]
    return max(found, key=lambda other: Result.read(output / other.folder).score, default=None)


def starting_model(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> str:
    """The folder that the run starts from: its model, or for wave 1 that model's best finished MNLI run.

    With `mnli_run = "same seed"` it is the best of the run's own seed. Raises FinetuningError when no such run of that
    model is finished, or the best one did not keep its weights.
    """
    if run.wave == 0:
        return run.model
    output = Path(config.output)
    best = best_source(run, runs, config)
    if best is None:
        seed = f" with seed {run.seed}" if config.mnli_run == "same seed" else ""
        raise FinetuningError(
            f"{run.task_name} starts from MNLI, but no MNLI run of {run.model_label}{seed} in {output} is finished: "
            "run the MNLI part of the sweep first"
        )
    folder = output / best.folder / MODEL_FOLDER
    if not folder.is_dir():
        raise FinetuningError(
            f"{run.task_name} starts from the best MNLI run, {output / best.folder}, which has no model in it: --again "
            "makes this run again where it was told to keep none; where its model was deleted, delete its folder too"
        )
    return str(folder)


def unfinished_sources(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> list[PlannedRun]:
    """MNLI runs that a wave 1 run still waits for.

    Those that failed for good do not count, nor do settings that did not earn their further seeds.
    """
    if run.wave == 0:
        return []
    sources = [other for other in runs if other.model_label == run.model_label and other.task_name == TRANSFER_SOURCE]
    output = Path(config.output)
    kept, unfinished = kept_settings(sources[0], runs, config)
    later = [
        other
        for other in sources
        if is_later_seed(other, config)
        and other.setting in kept
        and not Result.exists(output / other.folder)
        and not gave_up(output, other)
    ]
    return unfinished + later


def waiting_for(run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> list[PlannedRun]:
    """Runs that must be over, finished or failed for good, before this one's turn comes."""
    unfinished = kept_settings(run, runs, config)[1] if is_later_seed(run, config) else []
    return unfinished_sources(run, runs, config) + unfinished
