"""The dictionary that DeepSpeed is started with: the recipe's ``[deepspeed]`` table and what the trainer owns."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pretraining.configuration.recipe import nearest
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError

# Keys that the trainer sets from the recipe, and where the recipe says it.
OWNED = {
    "train_batch_size": "training.batch_size",
    "train_micro_batch_size_per_gpu": "training.micro_batch_size",
    "gradient_accumulation_steps": "training.batch_size and training.micro_batch_size",
    "managed_gradient_accumulation": "training.batch_size and training.micro_batch_size",
    "optimizer": "the [optimizer] table",
    "scheduler": "the [schedule] table",
    "gradient_clipping": "training.clip_norm",
    "bf16": 'training.precision = "bf16"',
    "bfloat16": 'training.precision = "bf16"',
    "torch_autocast": 'training.precision = "bf16"',
    "fp16.enabled": 'training.precision = "fp16"',
    "fp16.auto_cast": 'training.precision = "fp16"',
    "tensorboard": "output.tensorboard",
    "steps_per_print": "output.log_every",
    "gradient_allreduce_op": "the loss, which is divided by global counts",
    "zero_allow_untested_optimizer": "optimizer.name",
    "zero_force_ds_cpu_optimizer": "optimizer.name",
    "checkpoint": "the [checkpoint] table",
    "activation_checkpointing": "model.activation_checkpointing",
    "data_efficiency": "the [data] table",
    "dataloader_drop_last": "the [data] table",
    "compile": "model.compile",
}
# Everything else that DeepSpeed 0.19 reads and that means something to this trainer. DeepSpeed ignores unknown
# top-level keys in silence, so a misspelt one must be caught here.
PASSED_THROUGH = (
    "aio",
    "comet",
    "comms_logger",
    "communication_data_type",
    "csv_monitor",
    "data_types",
    "disable_allgather",
    "disable_python_gc",
    "dump_state",
    "flops_profiler",
    "fp16",
    "gradient_predivide_factor",
    "log_level",
    "memory_breakdown",
    "prescale_gradients",
    "timers",
    "wall_clock_breakdown",
    "wandb",
    "zero_optimization",
)


BUCKETS = 8  # of a backward pass: its last one is all that is reduced after the last gradient
SMALLEST_BUCKET = 1 << 20  # elements: below it a reduction costs its start, not its bytes


def check_deepspeed_table(table: dict[str, Any]) -> None:
    """Refuses keys that the trainer owns, and keys that DeepSpeed would ignore."""
    for key, value in table.items():
        dotted = [f"{key}.{name}" for name in value] if isinstance(value, dict) else []
        for name in (key, *dotted):
            if name in OWNED:
                raise PretrainingError(f"[deepspeed] {name} belongs to the trainer: set {OWNED[name]} instead")
        if key not in PASSED_THROUGH:
            raise PretrainingError(
                f"[deepspeed] {key!r} is not a DeepSpeed setting, which would ignore it: {nearest(key, PASSED_THROUGH)}"
            )
    zero = table.get("zero_optimization", {})
    _check_zero_table(zero)
    for part in ("offload_optimizer", "offload_param"):
        if isinstance(zero.get(part), dict) and zero[part].get("device") == "nvme":
            raise PretrainingError(
                f"[deepspeed] zero_optimization.{part}.device is nvme, from where no checkpoint is written; use cpu"
            )


def _check_zero_table(zero: dict[str, Any]) -> None:
    """What DeepSpeed itself would refuse, before the ranks are joined."""
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    try:
        DeepSpeedZeroConfig(**zero)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(["zero_optimization", *map(str, first["loc"])])
        if not first["loc"]:  # of several keys together, and the whole table is no news
            said = re.sub(r"^(Assertion failed|Value error), |\.$", "", first["msg"])
            raise PretrainingError(f"[deepspeed] {name}: {said}") from error
        if first["type"] != "extra_forbidden":
            raise PretrainingError(f"[deepspeed] {name}: {first['msg']}, not {first['input']!r}") from error
        fields = [field.alias or key for key, field in DeepSpeedZeroConfig.model_fields.items()]
        raise PretrainingError(
            f"[deepspeed] {name} is not a DeepSpeed setting: {nearest(str(first['loc'][-1]), fields)}"
        ) from error


def communication(zero: dict[str, Any], ranks: int, sizes: Sequence[int]) -> dict[str, Any]:
    """ZeRO's table with how gradients are reduced on GPUs at stages 1 and 2, where it does not say: in about eight
    buckets, beside the backward pass.

    DeepSpeed's own bucket of 5 · 10⁸ elements holds all of BERT-Large, so that nothing is reduced before the last
    gradient is there, and its memory is taken whatever the model's size; at these stages it does not overlap unless it
    is told to, at stage 3 it does. No bucket is smaller than the largest of ``sizes``: a gradient that does not fit
    into one goes alone. Where moments lie on the CPU nothing overlaps unless the recipe says so.
    """
    if zero["stage"] not in (1, 2):
        return zero
    chosen: dict[str, Any] = {"reduce_bucket_size": max(*sizes, sum(sizes) // BUCKETS, SMALLEST_BUCKET)}
    if ranks > 1 and not zero.get("offload_optimizer"):
        chosen["overlap_comm"] = True
    return chosen | zero


def deepspeed_configuration(
    recipe: Recipe, ranks: int, micro_batches: int, *, on_cpu: bool, sizes: Sequence[int] = ()
) -> dict[str, Any]:
    """DeepSpeed's configuration for ``ranks`` ranks that accumulate ``micro_batches`` micro-batches each.

    ``sizes``: elements of each of the model's parameters; without them buckets are DeepSpeed's own. The recipe's
    precision must be settled.
    """
    if recipe.training.precision == "auto":
        raise ValueError("training.precision is not settled yet")
    check_deepspeed_table(recipe.deepspeed)
    settings = copy.deepcopy(recipe.deepspeed)
    settings.setdefault("zero_optimization", {}).setdefault("stage", 1)
    if not on_cpu and sizes:
        settings["zero_optimization"] = communication(settings["zero_optimization"], ranks, sizes)
    settings |= {
        "train_batch_size": recipe.training.batch_size,
        "train_micro_batch_size_per_gpu": recipe.training.batch_size // (ranks * micro_batches),
        "gradient_accumulation_steps": micro_batches,
        # DeepSpeed clips the reduced gradient, after unscaling it; at stage 0 we look at it and clip it ourselves.
        "gradient_clipping": recipe.training.clip_norm if recipe.stage else 0.0,
        "steps_per_print": None,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    if recipe.training.precision == "bf16":
        # Weights, gradients and their reduction stay in float32 (no module is declared safe for 16-bit communication):
        # a pure bfloat16 model quantises the loss.
        settings["torch_autocast"] = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}
    if recipe.training.precision == "fp16":
        if on_cpu:
            raise PretrainingError(
                'training.precision = "fp16" needs a GPU, DeepSpeed has none of it on the CPU; use "bf16" or "fp32"'
            )
        if recipe.stage == 0:
            raise PretrainingError(
                'training.precision = "fp16" needs ZeRO stage 1 or more: at stage 0 DeepSpeed does not give the '
                "float32 weights back; leave out deepspeed.zero_optimization.stage"
            )
        dynamic_scaling = {"loss_scale": 0, "initial_scale_power": 16, "loss_scale_window": 1000, "hysteresis": 2}
        settings["fp16"] = {**dynamic_scaling, **settings.get("fp16", {}), "enabled": True}
    elif "fp16" in settings:
        raise PretrainingError('[deepspeed] fp16 is only read with training.precision = "fp16"; remove the table')
    return settings


@dataclass(frozen=True)
class ZeroSettings:
    """What of ZeRO's settings takes memory and time."""

    bucket: int  # gradients that are reduced at a time
    overlap: bool
    offloads_optimizer: bool
    live_parameters: int  # that stage 3 may keep gathered


def zero_settings(
    recipe: Recipe, ranks: int, sizes: Sequence[int], *, on_cpu: bool = False, stage: int | None = None
) -> ZeroSettings:
    """What the recipe says, else what the trainer sets (`communication`), else DeepSpeed's own.

    ``sizes``: elements of each of the model's parameters. ``stage``: in place of the recipe's.
    """
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    said, stage = recipe.deepspeed["zero_optimization"], recipe.stage if stage is None else stage
    parsed = DeepSpeedZeroConfig(**said)
    offload = said.get("offload_optimizer")
    chosen = {} if on_cpu else communication({"stage": stage, "offload_optimizer": offload}, ranks, sizes)
    bucket, overlap = parsed.reduce_bucket_size, parsed.overlap_comm
    if "reduce_bucket_size" not in said:
        bucket = chosen.get("reduce_bucket_size", bucket)
    if said.get("overlap_comm") is None:
        overlap = chosen.get("overlap_comm", stage == 3)
    return ZeroSettings(int(bucket), bool(overlap), bool(offload), int(parsed.max_live_parameters))
