"""What a pretraining recipe may say: frozen, typed, checked before anything starts."""

import math
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.optimization.optimizers import OptimizerConfig
from pretraining.optimization.schedules import ScheduleConfig


class Section(BaseModel):
    """A frozen table of a recipe that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelOptions(Section):
    """A published size, with any field of Hugging Face's config.json changed."""

    size: Literal["tiny", "mini", "small", "medium", "base", "large"] = "base"
    vocab_size: int | None = None  # default: the shards' own
    hidden_size: int | None = None
    num_hidden_layers: int | None = None
    num_attention_heads: int | None = None
    intermediate_size: int | None = None
    hidden_dropout_prob: float | None = None
    attention_probs_dropout_prob: float | None = None
    max_position_embeddings: int | None = None
    initializer_range: float | None = None
    activation_checkpointing: bool = False
    compile: bool = False

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

    from_: str | None = Field(None, alias="from")  # a run folder, its export, or any Hugging Face BERT folder
    new_heads: bool = False  # let absent pretraining heads start at random


class DataOptions(Section):
    """What is trained on, in which order."""

    shards: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()  # passes over each shard set per epoch; default 1 each
    sequence_length: int = Field(128, ge=8)
    masking: Literal["static", "dynamic"] = "static"
    seed: int = Field(1, ge=0)  # order of the examples, and dynamic masks
    prefetch: int = Field(2, ge=1)  # global batches prepared ahead

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

    steps: int = Field(ge=1)  # optimiser steps; the schedule's length
    batch_size: int = Field(ge=1)  # sequences per optimiser step, over all ranks
    micro_batch_size: int = Field(ge=1)  # sequences per rank and forward pass
    stop_at: int | None = Field(None, ge=1)  # end after this step; the schedule stays
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    clip_norm: float = Field(1.0, ge=0)  # of the reduced gradient; 0: do not clip
    seed: int = Field(1, ge=0)  # weights and dropout
    deterministic: bool = False  # only deterministic kernels
    threads: int | None = Field(None, ge=1)  # CPU threads per rank; default: cores / ranks on the node


class EvaluationOptions(Section):
    """Held-out figures during training."""

    every: int = Field(0, ge=0)  # steps; 0: only at the start and the end
    examples: int = Field(10_000, ge=0)  # at most; 0: no evaluation
    at_start: bool = True


class CheckpointOptions(Section):
    """Saving and resuming."""

    every: int = Field(0, ge=0)  # steps; 0: only at the end
    keep: int = Field(2, ge=1)  # newest checkpoints kept
    resume: bool = True  # go on from the newest complete checkpoint in the output folder


class OutputOptions(Section):
    """Where results go."""

    folder: str = "runs/pretraining"
    log_every: int = Field(10, ge=1)  # steps
    tensorboard: bool = True
    export: bool = True  # write a Hugging Face folder at the end
    peak_tflops: float | None = Field(None, gt=0)  # of one device, for MFU; default: datasheet, or measured on the CPU


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
    output: OutputOptions = OutputOptions()
    deepspeed: dict[str, Any] = Field(default_factory=lambda: {"zero_optimization": {"stage": 1}})

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
