"""The runs of a comparison, in their order, and the sampled rows that they read."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.finetuning.comparisons import COMPARISONS, Comparison
from benchmarks.finetuning.options import Options
from benchmarks.finetuning.runs import SIDES, Run
from benchmarks.finetuning.sample import read_both, write_sample
from finetuning.errors import FinetuningError
from finetuning.kinds.constant import best_constant
from finetuning.kinds.loading import load_task
from finetuning.run.specification import RunSpec


@dataclass(frozen=True)
class Plan:
    """One comparison: its runs, and what is known of its rows before them."""

    runs: tuple[Run, ...]
    """By seed; who begins alternates with the seed, so that a machine that gets busy in between favours nobody."""
    epochs: float
    train_rows: int
    dev_rows: int
    constant: float
    """The score of the constant answer."""


def chosen(data: Path, names: Sequence[str]) -> dict[str, Comparison]:
    """The comparisons that are asked for, or else those whose folder is below `data`.

    Raises:
        FinetuningError: an unknown name, or nothing to compare.
    """
    if not names:
        found = {name: one for name, one in COMPARISONS.items() if _is_there(one, data)}
        if not found:
            raise FinetuningError(f"{data}: none of the folders of {', '.join(COMPARISONS)} is there; correct --data")
        if absent := [name for name in COMPARISONS if name not in found]:
            print(f"{data}: left out, for there is no folder: {', '.join(absent)}", file=sys.stderr)
        return found
    if unknown := [name for name in names if name not in COMPARISONS]:
        raise FinetuningError(f"no comparison for {unknown[0]!r}; there is {', '.join(COMPARISONS)}")
    return {name: COMPARISONS[name] for name in names}


def _is_there(comparison: Comparison, data: Path) -> bool:
    folder = load_task(comparison.task).folder
    roots = (data / comparison.folder, data)
    return roots[0].is_dir() and (folder is None or any((root / folder).is_dir() for root in roots))


def plan(name: str, comparison: Comparison, model: Path, options: Options) -> Plan:
    """Sample the rows and list the runs.

    Args:
        name: of the comparison, and of its files.
        comparison: data, rows and hyperparameters.
        model: folder of the starting weights.
        options: its rows and epochs go before the comparison's own.

    Raises:
        FinetuningError: the data are not there, or wrong.
    """
    task = load_task(comparison.task)
    rows = {
        "train": options.limit_train or comparison.train,
        task.dev[0]: options.limit_dev or comparison.dev,
    }
    folder = options.output / "data" / name
    sha256 = write_sample(comparison.task, options.data / comparison.folder, folder, rows)
    spec = RunSpec(
        task=comparison.task,
        model=str(model),
        data=folder,
        output=folder,
        epochs=options.epochs or comparison.epochs,
        learning_rate=comparison.learning_rate,
        batch_size=comparison.batch_size,
        sequence_length=comparison.sequence_length,
        group_by_length=True,
        precision="fp32",
        device=options.device,
        threads=options.threads,
        predict_test=False,
    )
    train, dev = read_both(task, folder)
    runs = [
        Run(name, side, spec.model_copy(update={"seed": seed}), sha256, options.output / f"{name}-{seed}-{side}.json")
        for seed in range(1, options.seeds + 1)
        for side in (SIDES if seed % 2 else SIDES[::-1])
    ]
    constant = best_constant(task, train.rows, dev.rows).score
    return Plan(tuple(runs), spec.epochs, len(train.rows), len(dev.rows), constant)


def in_turns(plans: Mapping[str, Plan]) -> list[Run]:
    """All runs, seed by seed: stopped half-way, every comparison has about as many."""
    return sorted((run for one in plans.values() for run in one.runs), key=lambda run: run.spec.seed)
