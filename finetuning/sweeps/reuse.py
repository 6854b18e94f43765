"""Whether a result that is there stands for the run that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import RESULT_FILE, Result
from finetuning.run.specification import RunSpec
from finetuning.sweeps.capacity import weight_files
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import PlannedRun


def check_starts(start: str, run: PlannedRun, runs: Sequence[PlannedRun], config: SweepConfig) -> list[str]:
    """Refuse results of this model's wave 1 that started elsewhere than `start`, from where `run` is to start.

    Returns what `check_present` remarks on them.

    The best MNLI run can change between two calls, when one that had failed is finished later. Scores from two
    starting points must not stand side by side.
    """
    if run.wave == 0:
        return []
    others = [other for other in runs if other.wave == 1 and other.model_label == run.model_label]
    remarks = [check_present(other.spec(Path(config.output), start)) for other in others]
    return [remark for remark in remarks if remark]


def check_present(spec: RunSpec) -> str | None:
    """A remark where a finished run's weights were written again after it; None where all is well or nothing is there.

    Raises FinetuningError when the run that lies in the folder had other weights, data or options: its score must not
    stand for this one.
    """
    if not Result.exists(spec.output):
        return None
    before = Result.read(spec.output).spec
    for name in RunSpec.model_fields:
        old, new = getattr(before, name), getattr(spec, name)
        if name == "output" or old == new or (name == "model" and _same_place(old, new)):
            continue
        if name == "precision" and new == "auto":
            continue  # left open: the result says what it was
        if (name == "data" and _same_place(_data(before), _data(spec))) or (name == "task" and _same_file(old, new)):
            continue
        raise FinetuningError(
            f"{spec.output} holds a run with {name} {old}, this sweep asks for {new}; choose another --output, another "
            "label for the model, or delete that folder"
        )
    finished = (spec.output / RESULT_FILE).stat().st_mtime
    if any(file.stat().st_mtime > finished for file in weight_files(spec.model)):
        return f"{spec.output}: the weights in {spec.model} are newer than this run; delete its folder to run it again"
    return None


def _data(spec: RunSpec) -> Path | None:
    """Where a run finds its data; those of a user's own task lie beside its file unless it is told otherwise."""
    return Path(spec.task).parent if spec.data is None and spec.task.endswith(".toml") else spec.data


def _same_file(old: str, new: str) -> bool:
    """Whether two task files say the same: a sweep works on a copy of it."""
    paths = [Path(old), Path(new)]
    return (
        all(path.suffix == ".toml" and path.is_file() for path in paths) and len({p.read_bytes() for p in paths}) == 1
    )


def _same_place(old: str | Path | None, new: str | Path | None) -> bool:
    return old is not None and new is not None and Path(old).resolve() == Path(new).resolve()
