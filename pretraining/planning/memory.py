"""Bytes per rank of a training run, by ZeRO stage (Rajbhandari et al. 2020, section 3.1 and figure 1).

What DeepSpeed adds to that follows from its source: deepspeed/runtime/zero/stage_1_and_2.py (a float32 copy of the
rank's partition, made in its constructor; a reduce bucket of its full size in `setup_buckets`, two with
`overlap_comm`; the flat gradient in `step`), stage3.py (the same, but always one bucket, and gathered weights),
engine.py (stage 0's `buffered_allreduce_fallback` flattens gradients).
"""

from dataclasses import dataclass

from pretraining.model.config import BertConfig
from pretraining.planning.activations import activation_bytes, weight_copy_bytes

FLOAT32 = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one rank that tensors take at most; what the driver and the allocator keep beside them is not here."""

    weights: int
    gradients: int
    optimizer: int  # both moments, and the float32 master weights where the model's own are 16-bit
    buffers: int  # DeepSpeed's own copies, and what it gathers and reduces in
    activations: int  # with autocast's copies of the weights
    update: int  # what the optimizer step makes, once the activations are gone
    gradients_wait: bool = True  # those of an earlier micro-batch are there while one computes

    @property
    def states(self) -> int:
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> int:
        resident = self.weights + self.optimizer + self.buffers
        if self.gradients_wait:
            return resident + self.gradients + max(self.activations, self.update)
        # The backward pass frees activations as it makes gradients.
        return resident + max(self.activations, self.gradients + self.update)


def parameter_sizes(config: BertConfig) -> list[int]:
    """Elements of each parameter of encoder, pooler and both heads; the tied decoder counts once."""
    h, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    embeddings = [v * h, config.max_position_embeddings * h, config.type_vocab_size * h, h, h]
    layer = [3 * h * h, 3 * h, h * h, h, h * i, i, i * h, h, h, h, h, h]
    heads = [h * h, h, h * h, h, h, h, v, 2 * h, 2]
    return embeddings + config.num_hidden_layers * layer + heads


def parameter_count(config: BertConfig) -> int:
    """The sum of `parameter_sizes`."""
    return sum(parameter_sizes(config))


def memory_per_rank(
    config: BertConfig,
    *,
    stage: int,
    ranks: int,
    precision: str,
    tokens: int,
    sequences: int,
    longest: int,
    masked: int,
    checkpointing: bool = False,
    flash: bool = True,
    padded: bool = False,
    offload_optimizer: bool = False,
    bucket: int = 500_000_000,
    live_parameters: int = 1_000_000_000,
    overlap: bool = False,
    optimizer: str = "adamw",
    micro_batches: int = 2,
) -> Memory:
    """Peak memory of a rank whose micro-batch has ``tokens`` tokens, ``masked`` of them masked.

    float32 and bfloat16 autocast hold 4 bytes of weight, 4 of gradient and 8 of moments: 16 bytes a parameter.
    float16 holds 2 + 2 + 12. Stage 1 divides the optimizer by the ranks, stage 2 the gradients too, stage 3 the
    weights too. ``flash`` and ``padded``: see `activation_bytes`. ``bucket`` values of a gradient are reduced at a
    time, at stages 1 and 2 in two buffers with ``overlap``. ``live_parameters`` is how many stage 3 may keep gathered
    (`stage3_max_live_parameters`): DeepSpeed's default is more than BERT-Large has, so there all of them. With one of
    ``micro_batches`` a step no gradient is there before the activations go.
    Against measured peaks: tests/pretraining/planning/measured_memory.toml.
    """
    count = parameter_count(config)
    weight = 2 if precision == "fp16" else FLOAT32
    moments = (12 if precision == "fp16" else 8) * count
    gradients, weights = weight * count, weight * count
    if stage >= 1:
        moments //= ranks
    if stage >= 2:
        gradients //= ranks
    if stage >= 3:
        weights //= ranks
    # float16's master weights are among its moments.
    partition = FLOAT32 * count // ranks if stage >= 1 else 0
    copied = partition if precision != "fp16" else 0
    if offload_optimizer:
        moments = copied = 0
    buckets = weight * bucket * (2 if overlap and stage < 3 else 1) if stage >= 1 else 0
    gathered = weight * min(live_parameters, count) if stage >= 3 else 0
    flattened = partition if stage >= 1 else (weight * min(bucket, count) if ranks > 1 else 0)
    activations = activation_bytes(
        config,
        precision=precision,
        tokens=tokens,
        sequences=sequences,
        longest=longest,
        masked=masked,
        checkpointing=checkpointing,
        flash=flash,
        padded=padded,
    )
    return Memory(
        weights=weights,
        gradients=gradients,
        optimizer=moments,
        buffers=copied + buckets + gathered,
        activations=activations + (weight_copy_bytes(config) if precision == "bf16" else 0),
        update=0 if offload_optimizer else flattened + _update_bytes(config, optimizer, partition),
        gradients_wait=micro_batches > 1,
    )


def _update_bytes(config: BertConfig, optimizer: str, partition: int) -> int:
    """LAMB's update, which has the size of what is updated at once: a partition, or at stage 0 one matrix."""
    if optimizer != "lamb":
        return 0
    return partition or FLOAT32 * config.vocab_size * config.hidden_size
