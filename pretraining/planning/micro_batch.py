"""The micro-batch that `training.micro_batch_size = "auto"` stands for: the largest that fits."""

from dataclasses import dataclass

from pretraining.configuration.deepspeed import zero_settings
from pretraining.configuration.tables import Recipe
from pretraining.data.batching import micro_batches_per_rank
from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.planning.memory import Memory, memory_per_rank, parameter_sizes

# Of a GPU: what its driver, the libraries and NCCL take, and a share for the gaps that torch's allocator leaves. The
# planner's own figures were within 4 % of the peaks of tensors that were measured (docs/gpu.md).
GPU_RESERVE, GPU_SHARE = 1_500_000_000, 0.9
# Of a node's memory, which the page cache of the shards and other processes share.
CPU_SHARE = 0.5
# On a CPU activations that leave the caches cost more than larger products gain: `benchmarks.micro_batches`.
CPU_TOKENS = 2048
MASKED_SHARE = 0.15


@dataclass(frozen=True)
class Device:
    """What a micro-batch must fit in: the least of what the ranks of a run have."""

    memory_bytes: int  # of a GPU; on the CPU the rank's part of its node's
    is_gpu: bool
    has_flash_attention: bool = True

    @property
    def usable_bytes(self) -> int:
        """What tensors may take."""
        if self.is_gpu:
            return max(0, int((self.memory_bytes - GPU_RESERVE) * GPU_SHARE))
        return int(self.memory_bytes * CPU_SHARE)


@dataclass(frozen=True)
class Choice:
    """A micro-batch size and why."""

    size: int
    planned_bytes: int
    reason: str


def planned_memory(
    recipe: Recipe, config: BertConfig, ranks: int, size: int, device: Device, stage: int | None = None
) -> Memory:
    """Memory of a rank whose micro-batches have `size` sequences, all as long as can be: what must fit."""
    length, stage = recipe.data.sequence_length, recipe.stage if stage is None else stage
    micro_batches = micro_batches_per_rank(recipe.training.batch_size, size, ranks)
    sizes = parameter_sizes(config)
    zero = zero_settings(recipe, ranks, sizes, on_cpu=not device.is_gpu, stage=stage)
    flash = device.has_flash_attention and recipe.training.precision != "fp32"
    return memory_per_rank(
        config,
        stage=stage,
        ranks=ranks,
        precision=recipe.training.precision,
        tokens=size * length,
        sequences=size,
        longest=length,
        masked=round(size * length * MASKED_SHARE),
        checkpointing=recipe.model.activation_checkpointing,
        flash=device.is_gpu,
        padded=device.is_gpu and not flash,
        offload_optimizer=zero.offloads_optimizer and stage >= 1,
        # On the CPU what is allocated and never written takes no memory.
        bucket=zero.bucket if device.is_gpu else min(zero.bucket, sum(sizes)),
        live_parameters=zero.live_parameters,
        overlap=zero.overlap,
        optimizer=recipe.optimizer.name,
        micro_batches=micro_batches,
    )


def largest_micro_batch(recipe: Recipe, config: BertConfig, ranks: int, device: Device) -> Choice:
    """The largest divisor of a rank's share of the batch whose plan fits in `device`; depends on nothing else.

    PretrainingError where not even one sequence does.
    """
    share, length = recipe.training.batch_size // ranks, recipe.data.sequence_length
    most = share if device.is_gpu else max(1, CPU_TOKENS // length)
    planned = 0
    for size in sorted((size for size in range(1, min(most, share) + 1) if share % size == 0), reverse=True):
        planned = planned_memory(recipe, config, ranks, size, device).total
        if planned <= device.usable_bytes:
            reason = (
                f"plan {planned / 2**30:.1f} GiB of {device.usable_bytes / 2**30:.1f} usable of "
                f"{device.memory_bytes / 2**30:.1f}, {share} sequences a rank and step"
            )
            return Choice(size, planned, reason if size < most else f"{reason}, {_bound(device)}")
    raise PretrainingError(
        f"training.micro_batch_size is auto and one sequence of {length} is planned to take {planned / 2**30:.1f} GiB "
        f"of the {device.usable_bytes / 2**30:.1f} usable on the smallest device; set model.activation_checkpointing, "
        "or deepspeed.zero_optimization.stage 2 or 3 on more ranks"
    )


def _bound(device: Device) -> str:
    return "all of them at once" if device.is_gpu else f"about {CPU_TOKENS:,} tokens keep a CPU's caches"
