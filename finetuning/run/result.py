"""What one fine-tuning run is asked to do, and what it leaves behind: `result.json`, written last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError

RESULT_FILE = "result.json"


class RunSpec(BaseModel):
    """One fine-tuning run: task, starting weights, hyperparameters, seed, and where the result goes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    task: str
    """A benchmark task's name (`cola`, `squad2`, …) or the path of a task's TOML file."""
    model: str
    """Folder with a Hugging Face BERT, an export of ours, or `random:CONFIG.json` for random weights."""
    output: Path
    """The run's folder."""
    data: Path | None = None
    """Folder with the files in the benchmark's own layout; None: the Hugging Face hub (or, for a user's own
    task, the folder of its TOML file)."""
    tokenizer: Path | None = None
    """Folder or file of the tokenizer; None: the model's folder."""
    random_weights: bool = False
    """Take the model's configuration and tokenizer, but start from random weights."""

    learning_rate: float = Field(default=3e-5, gt=0)
    batch_size: int = Field(default=32, ge=1)
    """Examples per optimiser step, over all devices together."""
    epochs: float = Field(default=3.0, gt=0)
    seed: int = Field(default=1, ge=0)
    max_length: int | None = Field(default=None, ge=8)
    """Pieces per sequence, special pieces included; None: the task's own."""
    warmup_share: float = Field(default=0.1, ge=0, le=1)
    """Share of all steps in which the learning rate rises linearly to its peak; then linear decay to zero."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled; not applied to biases and LayerNorm."""
    adam_beta1: float = Field(default=0.9, ge=0, lt=1)
    adam_beta2: float = Field(default=0.999, ge=0, lt=1)
    adam_epsilon: float = Field(default=1e-8, gt=0)
    bias_correction: bool = True
    """False: Adam without bias correction, as in the original BERT code."""
    gradient_clip: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient over all parameters; 0: no clipping."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout of the encoder and of the head; None: as the model's configuration says."""
    micro_batch_pieces: int = Field(default=16384, ge=1)
    """Most pieces in one forward pass: a larger batch is accumulated. Bounds memory, not the result."""
    group_by_length: bool = False
    """Make batches of sequences of similar length. The packed encoder does not pad, so it gains little."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: autocast; weights and optimiser state stay fp32."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, …; under DeepSpeed each rank takes its own."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of torch on the CPU; None: torch's own choice."""
    skip_malformed: bool = False
    """TSV: pass over lines with a wrong number of fields (counted and noted in the result) instead of refusing."""
    limit_train: int | None = Field(default=None, ge=1)
    """Only the first N training rows."""
    limit_dev: int | None = Field(default=None, ge=1)
    """Only the first N rows of every other split."""
    evaluate_every_epoch: bool = False
    """Score the dev split after each epoch too (kept in `epoch_scores`)."""
    stop_failed_after: int | None = Field(default=None, ge=1)
    """End the run after this many epochs when its dev score is then at or below the majority score."""
    predict_test: bool = True
    """Predict the test splits too, where the data has them."""
    save_model: bool = False
    """Keep the fine-tuned model in `OUTPUT/model`."""
    zero_stage: int = Field(default=0, ge=0, le=2)
    """ZeRO stage when several ranks run under DeepSpeed."""

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> RunSpec:
        """The specification that the options of a command line ask for.

        Raises:
            FinetuningError: a value is not allowed; the message names the option.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            option = f"--{str(first['loc'][0]).replace('_', '-')}"
            raise FinetuningError(f"{option} {first['input']}: {first['msg']}") from None


class Result(BaseModel):
    """One finished run. Scores and metrics are fractions (0.913, not 91.3), also where a benchmark prints
    percent; correlations lie in [-1, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    model: str
    model_fingerprint: str
    """sha256 of the starting weights (of the configuration, for random weights), 64 hexadecimal digits."""
    learning_rate: float
    batch_size: int
    epochs: float
    seed: int
    metric: str
    """Name of the main metric, a key of `metrics`."""
    score: float
    """The main metric on the task's main dev split after the last epoch."""
    metrics: dict[str, float]
    """Every metric of every dev split; those of a second dev split are named `SPLIT/METRIC`."""
    majority_score: float
    """The main metric of the constant answer that is commonest in training."""
    failed_run: bool
    """The score is at or below the majority score, or the loss stopped being finite."""
    diverged: bool = False
    """The loss stopped being finite; training ended there."""
    stopped_early: bool = False
    epoch_scores: tuple[float, ...] = ()
    train_loss: float
    """Mean training loss of the last epoch."""
    train_rows: int
    dev_rows: int
    train_sequences: int
    """Encoded sequences: more than rows where documents are cut into windows or rows have choices."""
    parameters: int
    seconds: float
    """The whole run."""
    seconds_per_epoch: float
    """Training alone, without reading, encoding and scoring."""
    notes: tuple[str, ...] = ()
    """What the data made remarkable: skipped lines, labels without training rows."""
    versions: dict[str, str]
    spec: RunSpec

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
            return cls.model_validate_json(path.read_bytes())
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
