"""What a pretraining recipe may say: frozen, typed, checked before anything starts."""

import math
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.optimization.options import OptimizerConfig
from pretraining.optimization.schedules import ScheduleConfig


class Section(BaseModel):
    """A frozen table of a recipe that refuses keys it does not know; the string below a key is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


class ModelOptions(Section):
    """A published size, with any field of Hugging Face's config.json changed."""

    size: Literal["tiny", "mini", "small", "medium", "base", "large"] = "base"
    """Layers, width and heads as published (Devlin et al. 2018; Turc et al. 2019)."""
    vocab_size: int | None = None
    """Rows of the embedding; left out: the pieces of the shards' vocabulary."""
    hidden_size: int | None = None
    """Width of every layer; left out: the size's."""
    num_hidden_layers: int | None = None
    """Layers; left out: the size's."""
    num_attention_heads: int | None = None
    """Attention heads of a layer; left out: the size's."""
    intermediate_size: int | None = None
    """Width inside the feed-forward part; left out: four times the size's hidden_size."""
    hidden_dropout_prob: float | None = None
    """Dropout of embeddings and of every layer's outputs; left out: 0.1."""
    attention_probs_dropout_prob: float | None = None
    """Dropout of attention weights; left out: 0.1."""
    max_position_embeddings: int | None = None
    """Longest sequence that the model can read; left out: 512."""
    initializer_range: float | None = None
    """Standard deviation of the first weights; left out: 0.02."""
    activation_checkpointing: bool = False
    """Compute each layer again in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile the model with torch.compile."""

    def build(self, vocabulary_size: int, pad_id: int = 0) -> BertConfig:
        """The architecture; ``vocabulary_size`` counts where the recipe does not set one.

        PretrainingError when there is no such model.
        """
        changes = self.model_dump(exclude={"size", "activation_checkpointing", "compile"}, exclude_none=True)
        try:
            return BertConfig.named(self.size, **{"vocab_size": vocabulary_size, "pad_token_id": pad_id, **changes})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(["model", *map(str, first["loc"])])
            raise PretrainingError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error


class InitOptions(Section):
    """Where the weights start."""

    from_: str | None = Field(None, alias="from")
    """A run's folder, its export, or any Hugging Face BERT folder; left out: random weights."""
    new_heads: bool = False
    """Let pretraining heads that init.from does not have start at random."""
    moments: bool = False
    """Take over the optimizer's moments as well, from the newest checkpoint of the run that init.from names."""


class DataOptions(Section):
    """What is trained on, in which order."""

    shards: tuple[str, ...] = Field((), json_schema_extra={"separator": ","})
    """Folders of shards, as preprocessing/pipeline.py writes them."""
    weights: tuple[float, ...] = ()
    """Passes over each folder of shards per epoch; left out: one each."""
    sequence_length: int = Field(128, ge=8)
    """Which of the shards' lengths to train on, in pieces."""
    masking: Literal["static", "dynamic"] = "static"
    """static: the masks of the shards; dynamic: new ones each epoch (Liu et al. 2019, section 4.1)."""
    seed: int = Field(1, ge=0)
    """Of the order of examples, and of dynamic masks."""
    prefetch: int = Field(2, ge=1)
    """Global batches that are prepared ahead."""

    @field_validator("shards", "weights", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return (value,) if isinstance(value, int | float) else value

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < weight < math.inf for weight in weights):
            raise ValueError("every weight must be a number above 0; leave a shard set out to not train on it")
        return weights


class TrainingOptions(Section):
    """How much, and in which precision."""

    steps: int = Field(ge=1)
    """Optimiser steps of the whole run; the schedule's length."""
    batch_size: int = Field(ge=1)
    """Sequences per optimiser step, over all ranks together."""
    micro_batch_size: int = Field(ge=1)
    """Sequences per rank and forward pass, at most."""
    stop_at: int | None = Field(None, ge=1)
    """End after this step, with a checkpoint; the schedule stays that of all steps."""
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    """bf16: float32 weights under autocast; fp16: DeepSpeed's, with loss scaling, on GPUs only."""
    clip_norm: float = Field(1.0, ge=0)
    """Largest norm of the reduced gradient over all parameters; 0: no clipping."""
    seed: int = Field(1, ge=0)
    """Of the first weights and of dropout."""
    deterministic: bool = False
    """Use deterministic kernels only."""
    threads: int | None = Field(None, ge=1)
    """CPU threads per rank; left out: the node's cores divided by its ranks."""


class EvaluationOptions(Section):
    """Held-out figures during training."""

    every: int = Field(0, ge=0)
    """Steps between evaluations; 0: only at the start and the end."""
    examples: int = Field(10_000, ge=0)
    """Held-out examples, at most; 0: no evaluation."""
    at_start: bool = True
    """Evaluate before the first step as well."""


class CheckpointOptions(Section):
    """Saving and resuming."""

    every: int = Field(0, ge=0)
    """Steps between checkpoints; 0: only at the end, or when the run is stopped."""
    keep: int = Field(2, ge=1)
    """How many of the newest checkpoints stay."""
    keep_every: int = Field(0, ge=0)
    """Checkpoints of steps that are multiples of it stay for good; 0: none."""
    keep_best: bool = False
    """The checkpoint with the lowest held-out loss stays as well; evaluate as often as you save."""
    resume: bool = True
    """Go on from the newest complete checkpoint in output.folder; no: refuse a folder that has one."""
    allow: tuple[str, ...] = Field((), json_schema_extra={"separator": ","})
    """Keys of the recipe that may differ from those of the checkpoint, as training.steps,optimizer.learning_rate."""

    @field_validator("allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class HealthOptions(Section):
    """What a run does about trouble."""

    rewind_after: int = Field(10, ge=1)
    """Bad steps in a row after which the run goes back to its last checkpoint and passes over their examples."""
    rewinds: int = Field(3, ge=0)
    """How often it goes back to one checkpoint before it gives up."""
    spike_factor: float | None = Field(None, gt=1)
    """A step is bad too when its loss is above this many times the median of the last 100; left out: never."""
    watchdog_seconds: float = Field(300.0, gt=0)
    """Without a step for so long, every rank writes down where it hangs and ends, to be started again."""
    lost_after_seconds: float = Field(30.0, ge=5)
    """A rank that gives no sign of life for so long (stopped, its node gone) ends the run on all nodes."""


class OutputOptions(Section):
    """Where results go."""

    folder: str = "runs/pretraining"
    """The run's folder: metrics, checkpoints, report, exported model."""
    log_every: int = Field(10, ge=1)
    """Steps between lines of metrics.jsonl."""
    tensorboard: bool = True
    """Write TensorBoard events as well."""
    export: bool = True
    """Write the finished model as a Hugging Face folder, export/."""
    peak_tflops: float | None = Field(None, gt=0)
    """Peak of one device in TFLOP/s, for MFU; left out: its datasheet's, or measured on the CPU."""


class Recipe(Section):
    """A whole pretraining run."""

    model: ModelOptions = ModelOptions()
    init: InitOptions = InitOptions()
    data: DataOptions = DataOptions()
    training: TrainingOptions
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    evaluation: EvaluationOptions = EvaluationOptions()
    checkpoint: CheckpointOptions = CheckpointOptions()
    health: HealthOptions = HealthOptions()
    output: OutputOptions = OutputOptions()
    deepspeed: dict[str, Any] = Field(default_factory=dict, validate_default=True)
    """DeepSpeed's own settings, as --deepspeed.zero_optimization.stage 2; left out: ZeRO stage 1."""

    @field_validator("deepspeed")
    @classmethod
    def _has_a_stage(cls, table: dict[str, Any]) -> dict[str, Any]:
        zero = table.get("zero_optimization", {})
        if not isinstance(zero, dict):
            raise ValueError(f"zero_optimization is {zero!r}, not a table; ZeRO's stage is a key in it")
        return {**table, "zero_optimization": {"stage": 1, **zero}}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        positions = self.model.max_position_embeddings or BertConfig.model_fields["max_position_embeddings"].default
        if self.data.sequence_length > positions:
            raise ValueError(
                f"data.sequence_length {self.data.sequence_length} is longer than the model's {positions} positions; "
                "use shorter shards or raise model.max_position_embeddings"
            )
        if self.training.batch_size < self.training.micro_batch_size:
            raise ValueError(
                f"training.micro_batch_size {self.training.micro_batch_size} is larger than training.batch_size "
                f"{self.training.batch_size}"
            )
        return self

    @property
    def stage(self) -> int:
        """ZeRO stage (Rajbhandari et al. 2020): what is partitioned over ranks. 1 where the recipe names none."""
        return int(self.deepspeed.get("zero_optimization", {}).get("stage", 1))

    @property
    def run_folder(self) -> Path:
        return Path(self.output.folder)
