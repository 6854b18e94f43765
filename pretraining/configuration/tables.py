"""What a pretraining recipe may say: frozen, typed, checked before anything starts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from pretraining.errors import PretrainingError
from pretraining.model.config import (
    BertConfig,
    Dropout,
    InitializerRange,
    InnerWidth,
    Layers,
    Positions,
    VocabularySize,
    Width,
)
from pretraining.optimization.options import OptimizerConfig, Section
from pretraining.optimization.schedules import MOST_STEPS, ScheduleConfig, build_schedule

_MOST_SEQUENCES = 10_000_000  # of a step; published: up to 65,536
_LARGEST_SEED = 2**32 - 1  # what every generator of random numbers takes
_MOST_TOKENS = 2**31 - 1  # of a forward pass: places in it are int32
_LARGEST_INTEGER = 2**63 - 1  # DeepSpeed's own "no limit"


def _usable(name: str) -> str:
    """A folder's name that is one: the empty one would be the working directory."""
    if not name.strip() or "\0" in name:
        raise ValueError("this names no folder")
    return name


def _as_text(value: Any) -> Any:
    """TOML's true and false as the words of a choice."""
    return str(value).lower() if isinstance(value, bool) else value


FolderName = Annotated[str, AfterValidator(_usable)]


_SEQUENCES = TypeAdapter(Annotated[int, Field(ge=1, le=_MOST_SEQUENCES)])


class ModelOptions(Section):
    """A published size, with any field of Hugging Face's config.json changed."""

    size: Literal["tiny", "mini", "small", "medium", "base", "large"] = "base"
    """Layers, width and heads as published (Devlin et al. 2018; Turc et al. 2019)."""
    vocab_size: VocabularySize | None = None
    """Rows of the embedding; left out: the pieces of the shards' vocabulary."""
    hidden_size: Width | None = None
    """Width of every layer; left out: the size's."""
    num_hidden_layers: Layers | None = None
    """Layers; left out: the size's."""
    num_attention_heads: Width | None = None
    """Attention heads of a layer; left out: the size's."""
    intermediate_size: InnerWidth | None = None
    """Width inside the feed-forward part; left out: four times the size's hidden_size."""
    hidden_dropout_prob: Dropout | None = None
    """Dropout of embeddings and of every layer's outputs, up to 0.9; left out: 0.1."""
    attention_probs_dropout_prob: Dropout | None = None
    """Dropout of attention weights, up to 0.9; left out: 0.1."""
    max_position_embeddings: Positions | None = None
    """Longest sequence that the model can read; left out: 512."""
    initializer_range: InitializerRange | None = None
    """Standard deviation of the first weights; left out: 0.02."""
    activation_checkpointing: bool = False
    """Compute each layer again in the backward pass: less memory, about a third more time."""
    compile: Annotated[Literal["auto", "true", "false"], BeforeValidator(_as_text)] = "auto"
    """Compile the layers with torch.compile; auto: on a GPU, where the run is long enough to win by it."""

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

    from_: FolderName | None = Field(None, alias="from")
    """A run's folder, its export, or any Hugging Face BERT folder; left out: random weights."""
    scheme: Literal["published", "neighbours"] = "published"
    """Of random weights; neighbours: the first layer's heads look at the pieces beside, with which a small model soon
    learns more than which pieces are frequent."""
    new_heads: bool = False
    """Let pretraining heads that init.from does not have start at random."""
    moments: bool = False
    """Take over the optimizer's moments as well, from the newest checkpoint of the run that init.from names."""

    @model_validator(mode="after")
    def _scheme_is_of_random_weights(self) -> Self:
        if self.from_ is not None and self.scheme != "published":
            raise ValueError(f"scheme = {self.scheme!r} is for random weights; leave it out, or init.from")
        return self


class DataOptions(Section):
    """What is trained on, in which order."""

    shards: tuple[FolderName, ...] = Field((), json_schema_extra={"separator": ","})
    """Folders of shards, as preprocessing/pipeline.py writes them."""
    weights: tuple[float, ...] = ()
    """Passes over each folder of shards per epoch; left out: one each."""
    sequence_length: int = Field(128, ge=8, le=65_535)
    """Which of the shards' lengths to train on, in pieces."""
    masking: Literal["static", "dynamic"] = "static"
    """static: the masks of the shards; dynamic: new ones each epoch (Liu et al. 2019, section 4.1)."""
    seed: int = Field(1, ge=0, le=_LARGEST_SEED)
    """Of the order of examples, and of dynamic masks."""
    prefetch: int = Field(2, ge=1, le=1_000)
    """Global batches that are prepared ahead, and so held in memory."""
    fixed_shapes: Literal["auto", "on", "off"] = "auto"
    """Fill micro-batches up to six sizes at most; auto: on GPUs with flash attention (compute capability 8.0)."""

    @field_validator("shards", "weights", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < weight <= 10_000 for weight in weights):
            raise ValueError(
                "every weight must be a number above 0, up to 10,000; leave a shard set out to not train on it"
            )
        return weights


class TrainingOptions(Section):
    """How much, and in which precision."""

    steps: int = Field(ge=1, le=MOST_STEPS)
    """Optimiser steps of the whole run; the schedule's length."""
    batch_size: int = Field(ge=1, le=_MOST_SEQUENCES)
    """Sequences per optimiser step, over all ranks together."""
    micro_batch_size: int | Literal["auto"]
    """Sequences per rank and forward pass, at most; auto: as many as fit in the memory of the run's smallest device."""
    stop_at: int | None = Field(None, ge=1, le=MOST_STEPS)
    """End after this step, with a checkpoint; the schedule stays that of all steps."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """bf16: float32 weights under autocast; fp16: DeepSpeed's, with loss scaling, on GPUs only; auto: bf16 where the
    device has instructions for it, else fp16 on a GPU and fp32 on the CPU."""
    linear_layers: Literal["fp8"] | None = None
    """fp8: the encoder's products in FP8 by torchao, on GPUs of capability 8.9 or above; left out: in precision."""
    clip_norm: float = Field(1.0, ge=0)
    """Largest norm of the reduced gradient over all parameters; 0: no clipping."""
    seed: int = Field(1, ge=0, le=_LARGEST_SEED)
    """Of the first weights and of dropout."""
    deterministic: bool = False
    """Use deterministic kernels only."""
    threads: int | None = Field(None, ge=1, le=4_096)
    """CPU threads per rank; left out: OMP_NUM_THREADS where it is set, else the node's cores divided by its ranks."""

    @field_validator("micro_batch_size", mode="plain")
    @classmethod
    def _count_or_auto(cls, value: Any) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        if isinstance(value, bool):
            raise ValueError("true and false are for switches, and this is none")
        try:
            return _SEQUENCES.validate_python(value)
        except ValidationError as error:
            raise ValueError(f"{error.errors()[0]['msg']}, or auto") from error

    @property
    def least_micro_batch_size(self) -> int:
        """`micro_batch_size` as a number: of `auto` only 1 is known before the devices are."""
        return 1 if self.micro_batch_size == "auto" else self.micro_batch_size


class EvaluationOptions(Section):
    """Held-out figures during training."""

    every: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps between evaluations; 0: only at the start and the end."""
    examples: int = Field(10_000, ge=0, le=1_000_000_000)
    """Held-out examples, at most; 0: no evaluation."""
    at_start: bool = True
    """Evaluate before the first step as well."""


class CheckpointOptions(Section):
    """Saving and resuming."""

    every: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps between checkpoints; 0: only at the end, or when the run is stopped."""
    keep: int = Field(2, ge=1, le=1_000_000)
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
    join_seconds: float = Field(300.0, ge=1, le=86_400)
    """How long the ranks wait at the start for all of them to come, before each ends and says who is missing."""
    lost_after_seconds: float = Field(30.0, ge=5)
    """A rank that gives no sign of life for so long (stopped, its node gone) ends the run on all nodes."""


class OutputOptions(Section):
    """Where results go."""

    folder: FolderName = "runs/pretraining"
    """The run's folder: metrics, checkpoints, report, exported model."""
    log_every: int = Field(10, ge=1, le=MOST_STEPS)
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
        stage = zero.get("stage", 1)
        if type(stage) is not int or stage not in (0, 1, 2, 3):  # to Python, true is 1
            raise ValueError(f"zero_optimization.stage is {_as_toml(stage)}: ZeRO has stages 0, 1, 2 and 3")
        return {**table, "zero_optimization": {"stage": 1, **zero}}

    @field_validator("deepspeed")
    @classmethod
    def _numbers_are_finite(cls, table: dict[str, Any]) -> dict[str, Any]:
        for name, value in _leaves(table):
            # Written so that it holds for nan as well.
            if isinstance(value, float | int) and not abs(value) <= _LARGEST_INTEGER:
                raise ValueError(f"{name} is {value}: write a finite number of at most 64 bits")
        return table

    @model_validator(mode="after")
    def _fits(self) -> Self:
        positions = self.model.max_position_embeddings or BertConfig.model_fields["max_position_embeddings"].default
        if self.data.sequence_length > positions:
            raise ValueError(
                f"data.sequence_length {self.data.sequence_length} is longer than the model's {positions} positions; "
                "use shorter shards or raise model.max_position_embeddings"
            )
        micro_batch_size = self.training.least_micro_batch_size
        if self.training.batch_size < micro_batch_size:
            raise ValueError(
                f"training.micro_batch_size {micro_batch_size} is larger than training.batch_size "
                f"{self.training.batch_size}"
            )
        if micro_batch_size * self.data.sequence_length > _MOST_TOKENS:
            raise ValueError(
                f"training.micro_batch_size {micro_batch_size} times data.sequence_length "
                f"{self.data.sequence_length} is more than the {_MOST_TOKENS} tokens that one forward pass can count; "
                "lower the first"
            )
        if self.training.stop_at is not None and self.training.stop_at > self.training.steps:
            raise ValueError(
                f"training.stop_at {self.training.stop_at} is behind the last of training.steps {self.training.steps}; "
                "leave it out, or raise training.steps"
            )
        if self.data.weights and self.data.shards and len(self.data.weights) != len(self.data.shards):
            raise ValueError(
                f"data.weights has {len(self.data.weights)} numbers for the {len(self.data.shards)} folders of "
                "data.shards; give one for each"
            )
        if self.training.linear_layers == "fp8" and (self.training.precision in ("fp32", "fp16") or self.stage == 3):
            raise ValueError(
                'training.linear_layers "fp8" goes with training.precision "bf16" and ZeRO stages 0 to 2, not with '
                f'"{self.training.precision}" at stage {self.stage}; leave it out, or change these'
            )
        build_schedule(self.schedule, self.optimizer.learning_rate, self.training.steps)
        return self

    @property
    def stage(self) -> int:
        """ZeRO stage (Rajbhandari et al. 2020): what is partitioned over ranks. 1 where the recipe names none."""
        return int(self.deepspeed.get("zero_optimization", {}).get("stage", 1))

    @property
    def run_folder(self) -> Path:
        return Path(self.output.folder)


def _leaves(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of everything in nested tables and lists."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield from ((f"{prefix}{key}", part) for part in (value if isinstance(value, list) else (value,)))


def _as_toml(value: Any) -> str:
    """A value as its recipe spells it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)
