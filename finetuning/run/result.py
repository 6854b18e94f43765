"""What one fine-tuning run leaves behind: `result.json`, written last."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.failure import Failure
from finetuning.run.identity.inputs import Inputs, inputs_of
from finetuning.run.specification import RunSpec

RESULT_FILE = "result.json"
BAG_OF_WORDS = "bag of words"


class Result(BaseModel):
    """One finished run. Scores and metrics are fractions (0.913, not 91.3), also where a benchmark prints
    percent; correlations lie in [-1, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    """Name of the task."""
    model: str
    """The starting weights, as the run was given them."""
    model_fingerprint: str
    """sha256 of the starting weights (of the configuration, for random weights), 64 hexadecimal digits."""
    learning_rate: float
    """The peak."""
    batch_size: int
    """Examples per optimiser step, over all devices together."""
    epochs: float
    """Passes over the training rows that were asked for."""
    seed: int
    """Of the head, of dropout and of the order of examples."""
    metric: str
    """Name of the main metric, a key of `metrics`."""
    score: float
    """The main metric on the task's main dev split after the last epoch."""
    metrics: dict[str, float]
    """Every metric of every dev split; those of a second dev split are named `SPLIT/METRIC`."""
    majority_score: float
    """The main metric of the constant answer that is commonest in training."""
    constant_score: float | None = None
    """The main metric of the constant answer that is best on the dev split itself; None in results of earlier versions,
    which were judged by `majority_score`."""
    failed_run: bool
    """Whether there is a `failure`."""
    failure: Failure | None = None
    """Why it counts as failed."""
    above_constant: tuple[float, float] | None = None
    """The 95 % interval of score minus `constant_score` over samples of dev rows like this one; None: not known."""
    diverged: bool = False
    """The loss stopped being finite; training ended there."""
    stopped_early: bool = False
    """Training ended before its last epoch, because of `stop_failed_after`."""
    epoch_scores: tuple[float, ...] = ()
    """The main metric after each epoch that was scored."""
    train_loss: float
    """Mean training loss of the last epoch."""
    train_rows: int
    """Rows of the training split that were trained on."""
    dev_rows: int
    """Rows of the task's main dev split."""
    train_sequences: int
    """Encoded sequences: more than rows where documents are cut into windows or rows have choices."""
    truncation: dict[str, Truncation] = Field(default_factory=dict)
    """For each split what did not fit into its sequences; empty in results of earlier versions."""
    parameters: int
    """Weights of the model, its head included."""
    seconds: float
    """The whole run."""
    seconds_per_epoch: float
    """Training alone, without reading, encoding and scoring."""
    notes: tuple[str, ...] = ()
    """What the data made remarkable: skipped lines, labels without training rows."""
    versions: dict[str, str]
    """Package → its version in this run."""
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    """That the run computed in: of `spec.precision` what the device made of it."""
    baseline: Literal["bag of words"] | None = None
    """What learnt in place of a fine-tuned encoder, if anything. Such a run has neither learning rate, batches nor
    epochs, which are 0, and of `spec` only what says its rows, its seed and its folder; `seconds_per_epoch` is the time
    that it learnt."""
    inputs: Inputs | None = None
    """What was read, by which a change of it is noticed; None in results of earlier versions."""
    spec: RunSpec
    """What was asked for."""

    @model_validator(mode="before")
    @classmethod
    def _earlier_versions_say_it_otherwise(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if "precision" not in data:
            spec = data.get("spec")
            asked = spec.get("precision") if isinstance(spec, dict) else getattr(spec, "precision", None)
            data = {**data, "precision": "bf16" if asked == "bf16" else "fp32"}
        if data.get("failed_run") and "failure" not in data:
            data = {**data, "failure": "diverged" if data.get("diverged") else "not above the best constant"}
        return data

    @property
    def to_beat(self) -> float:
        """The score of the constant answer that the run was judged by."""
        return self.majority_score if self.constant_score is None else self.constant_score

    @property
    def beside_constant(self) -> str:
        """In words, what was to beat, and whether it was."""
        text = f"best constant answer {self.to_beat:.4f}"
        if self.failure:
            return f"{text}; failed: {self.failure}"
        return f"{text}, from which these rows do not tell it" if self.is_near_constant else text

    @property
    def is_near_constant(self) -> bool:
        """Whether the run did not fail, but its dev rows are too few to tell it from a constant answer."""
        return not self.failed_run and self.above_constant is not None and self.above_constant[0] <= 0

    def write(self, folder: Path) -> Path:
        """Write `result.json` into `folder` under a temporary name and rename it: present means complete."""
        return write_json(folder / RESULT_FILE, self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> Result:
        """Read `result.json` of a run's folder.

        Raises:
            FinetuningError: there is none, or it is not one of this version.
        """
        path = folder / RESULT_FILE
        try:
            stat = path.stat()
            return _parsed(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:
            raise FinetuningError(f"{path}: no such file; the run is not finished, run it again") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise FinetuningError(
                f"{path}: {where}: {first['msg']}; the file is damaged or of another version, delete it and run again"
            ) from None

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether the run of this folder is complete."""
        return (folder / RESULT_FILE).is_file()

    @staticmethod
    def refuse_finished(folder: Path) -> None:
        """FinetuningError when the run of this folder is complete: nothing is overwritten."""
        if Result.exists(folder):
            raise FinetuningError(f"{folder}: holds a finished run; choose another --output or delete it")

    def refuse_changed_inputs(self) -> None:
        """FinetuningError when the task, data, tokenizer or model of this run were changed since.

        What is gone does no harm, and of results of earlier versions nothing is known.
        """
        if self.inputs is None:
            return
        before, now = self.inputs, inputs_of(self.spec)
        files = [
            *((f"the {name} split", file, now.data.get(name)) for name, file in before.data.items()),
            ("the tokenizer", before.tokenizer, now.tokenizer),
            ("the model's config.json", before.configuration, now.configuration),
        ]
        changed = [what for what, old, new in files if old and new and old.sha256 != new.sha256]
        if before.task != now.task:
            changed.append("the task")
        if before.weights and now.weights and before.weights != now.weights:
            from finetuning.run.start import model_fingerprint  # late: torch takes seconds, and few need it

            if model_fingerprint(self.spec) != self.model_fingerprint:
                changed.append("the model")
        if changed:
            raise FinetuningError(
                f"{self.spec.output}: {changed[0]} has changed since that run; delete that folder and run it again"
            )


@lru_cache(maxsize=4096)
def _parsed(path: Path, *identity: int) -> Result:
    """The result in a file. Who looks at a sweep reads it many times; `identity` changes when it is written again."""
    return Result.model_validate_json(path.read_bytes())
