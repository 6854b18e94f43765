"""All finished runs below some folders, with the label of the model that each belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.run.identity.effects import fields_with
from finetuning.run.result import RESULT_FILE, Result
from finetuning.run.specification import RunSpec
from finetuning.sweeps.table import SWEEP_FILE

FROM_MNLI = "-from-mnli"

NAMED_APART = frozenset({"task", "model", "tokenizer", "data", "learning_rate", "batch_size", "epochs", "seed"})
"""Fields of a specification that a setting does not list among its options: it, the label or the task says them."""
WITHOUT_EFFECT = fields_with("none", "kept")
"""Fields that change how a run is made or what it keeps, but not its score."""


Setting = tuple[float, int, float, bool, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run's folder and result. `label`: the checkpoint under test, not the MNLI run that it may have started from, or
    the baseline."""

    folder: Path
    label: str
    from_mnli: bool
    result: Result

    @property
    def options(self) -> tuple[str, ...]:
        """Every other option that a score depends on, where it is not the default: `sequence_length 64`."""
        result = self.result
        if result.baseline is not None:
            return (result.baseline,)
        # What the device made of it counts, not what was asked for; where nothing is said it is fp32.
        given = {name: (getattr(result.spec, name), field.default) for name, field in RunSpec.model_fields.items()}
        given["precision"] = (result.precision, "fp32")
        return tuple(
            f"{name} {value}"
            for name, (value, usual) in given.items()
            if name not in NAMED_APART | WITHOUT_EFFECT and value != usual
        )

    @property
    def setting(self) -> Setting:
        """Everything but task, model and seed."""
        return (self.result.learning_rate, self.result.batch_size, self.result.epochs, self.from_mnli, self.options)

    @property
    def setting_text(self) -> str:
        """The setting in words."""
        result = self.result
        if result.baseline is not None:
            return "no encoder"
        grid = (f"{result.learning_rate:g}", f"batch {result.batch_size}", f"{result.epochs:g} epochs")
        start = ("from MNLI",) if self.from_mnli else ()
        return ", ".join((*grid, *start, *self.options))


def find_runs(folders: Iterable[Path]) -> list[FinishedRun]:
    """Every finished run below `folders` (sweeps, or single runs), sorted by folder.

    Raises FinetuningError when a folder does not exist, when none holds a result, when two runs differ in nothing (a
    seed would count twice), when one label stands for two models, or when runs of one task were not scored alike.
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
            label = result.baseline or (folder.relative_to(root).parts[0] if is_sweep else _model_label(result))
            runs.setdefault(folder.resolve(), FinishedRun(folder, label, folder.name.endswith(FROM_MNLI), result))
    if not runs:
        raise FinetuningError(f"no finished run below {', '.join(map(str, folders))}; run finetuning.sweep first")
    found = [runs[folder] for folder in sorted(runs)]
    _check_no_run_twice(found)
    _check_one_model_a_label(found)
    _check_scored_alike(found)
    return found


def _check_no_run_twice(runs: Iterable[FinishedRun]) -> None:
    seen: dict[tuple[str, str, Setting, int], FinishedRun] = {}
    for run in runs:
        first = seen.setdefault((run.label, run.result.task, run.setting, run.result.seed), run)
        if first is not run:
            raise FinetuningError(
                f"{first.folder} and {run.folder} are the same run, {run.label} on {run.result.task} with "
                f"{run.setting_text} and seed {run.result.seed}: name only one of the two"
            )


def _check_one_model_a_label(runs: Iterable[FinishedRun]) -> None:
    seen: dict[str, FinishedRun] = {}
    for run in runs:
        # One that starts from the weights of an MNLI run has not always those of another; a baseline has none.
        if run.from_mnli or run.result.baseline is not None:
            continue
        first = seen.setdefault(run.label, run)
        if _start(first.result) != _start(run.result):
            raise FinetuningError(
                f"{first.folder} and {run.folder} are both of a model called {run.label}, but started from different "
                "weights or tokenizers: name only one of the two, or run one in a sweep under another label"
            )


def _check_scored_alike(runs: Iterable[FinishedRun]) -> None:
    """By metric, dev rows and, where it is known, the dev file: the hub's leaves no trace, nor do earlier versions."""
    seen: dict[tuple[str, str], tuple[FinishedRun, str]] = {}
    for run in runs:
        result = run.result
        alike = {
            "by another metric": result.metric,
            "on another number of dev rows": str(result.dev_rows),
            "on a dev split of other content": _dev_hash(result),
        }
        for difference, value in alike.items():
            first, before = seen.setdefault((result.task, difference), (run, value)) if value else (run, value)
            if value != before:
                raise FinetuningError(
                    f"{run.folder} is scored {difference} of {result.task} than {first.folder} ({value:.12} and "
                    f"{before:.12}), so their scores cannot stand side by side: name only one of the two, or make one "
                    "again as the other"
                )


def _dev_hash(result: Result) -> str:
    """sha256 of the file of the main dev split; empty where it is not known."""
    if result.inputs is None:
        return ""
    file = result.inputs.data.get(result.inputs.task.get("dev", ("dev",))[0])
    return file.sha256 if file is not None else ""


def _start(result: Result) -> tuple[str, Path | None]:
    tokenizer = result.spec.tokenizer
    return result.model_fingerprint, tokenizer and tokenizer.resolve()


def predictions(run: FinishedRun, split: str) -> list[dict[str, Any]]:
    """The predictions of a run on a split. FinetuningError when the run did not predict it."""
    path = run.folder / f"predictions-{split}.jsonl"
    try:
        with path.open(encoding="utf-8") as file:  # str.splitlines() would end a line at U+2028 within a text too
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        raise FinetuningError(
            f"{path}: no such file; when the run was made its data had no {split} split, or it was told not to predict"
        ) from None
    except ValueError as error:
        raise FinetuningError(f"{path} is damaged ({error}); delete its run's folder and run it again") from None


def best_run(runs: Sequence[FinishedRun]) -> FinishedRun:
    """The run with the highest dev score; of equal ones the first."""
    return max(runs, key=lambda run: run.result.score)


def _model_label(result: Result) -> str:
    path = Path(result.model.removeprefix("random:"))
    name = path.parent.name if path.name in ("export", "model") and path.parent.name else path.stem
    return f"random-{name}" if result.spec.random_weights or result.model.startswith("random:") else name
