"""Bytes per rank of a training run, by ZeRO stage (Rajbhandari et al. 2020, section 3.1 and figure 1)."""

from dataclasses import dataclass

from pretraining.model.config import BertConfig

FLOAT32 = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one rank."""

    weights: int
    gradients: int
    optimizer: int  # both moments, and the float32 master weights where the model's own are 16-bit
    buffers: int  # DeepSpeed's own copies, and what it gathers and reduces in
    activations: int
    update: int  # the flat gradient that the optimizer step makes, once the activations are gone

    @property
    def states(self) -> int:
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> int:
        return self.states + self.buffers + max(self.activations, self.update)


def parameter_count(config: BertConfig) -> int:
    """Parameters of encoder, pooler and both heads; the tied decoder counts once."""
    h, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    embeddings = (v + config.max_position_embeddings + config.type_vocab_size) * h + 2 * h
    layer = (3 * h * h + 3 * h) + (h * h + h) + (h * i + i) + (i * h + h) + 4 * h
    heads = (h * h + h) + (h * h + h + 2 * h + v) + (2 * h + 2)
    return embeddings + config.num_hidden_layers * layer + heads


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
    offload_optimizer: bool = False,
    bucket: int = 500_000_000,
    live_parameters: int = 1_000_000_000,
) -> Memory:
    """Peak memory of a rank whose micro-batch has ``tokens`` tokens.

    float32 and bfloat16 autocast hold 4 bytes of weight, 4 of gradient and 8 of moments: 16 bytes a parameter.
    float16 holds 2 + 2 + 12. Stage 1 divides the optimizer by the ranks, stage 2 the gradients too, stage 3 the
    weights too. ``flash`` is fused attention, which keeps no L × L scores. ``live_parameters`` is how many stage 3 may
    keep gathered (`stage3_max_live_parameters`): DeepSpeed's default is more than BERT-Large has, so there all of them.
    Against measured peaks, see docs/pretraining.md (two ranks) and docs/gpu.md.
    """
    count = parameter_count(config)
    weight = 2 if precision == "fp16" else FLOAT32
    optimizer = (12 if precision == "fp16" else 8) * count
    gradients, weights = weight * count, weight * count
    if stage >= 1:
        optimizer //= ranks
    if stage >= 2:
        gradients //= ranks
    if stage >= 3:
        weights //= ranks
    if offload_optimizer:
        optimizer = 0
    # ZeRO works on a float32 copy of this rank's partition, and makes one flat gradient for it.
    partition = weight * count // ranks if stage >= 1 else 0
    buckets = weight * min(bucket, count) if stage >= 1 else 0
    gathered = weight * min(live_parameters, count) if stage >= 3 else 0
    return Memory(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        buffers=partition + buckets + gathered,
        activations=activation_bytes(
            config,
            precision=precision,
            tokens=tokens,
            sequences=sequences,
            longest=longest,
            masked=masked,
            checkpointing=checkpointing,
            flash=flash,
        ),
        update=partition,
    )


def activation_bytes(
    config: BertConfig,
    *,
    precision: str,
    tokens: int,
    sequences: int,
    longest: int,
    masked: int,
    checkpointing: bool,
    flash: bool,
) -> int:
    """What the forward pass keeps for the backward pass of one micro-batch, and the logits.

    Per layer and token, in values: inputs of four products (h, h, h, i), q k v (3 h), the input of GELU (i), two
    residual sums (2 h), and dropout masks of one byte (2 h); with autocast the LayerNorm sides stay in float32.
    Scores (heads × L²) only without fused attention. Checkpointing keeps one hidden state per layer and one layer's
    activations.
    """
    h, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    wide = 4 if precision != "fp16" else 2
    narrow = 4 if precision == "fp32" else 2
    layer = tokens * (narrow * (6 * h + 2 * i) + wide * 4 * h + 2 * h)
    if not flash:
        layer += 2 * narrow * config.num_attention_heads * sequences * longest * longest
    if checkpointing:
        encoder = config.num_hidden_layers * tokens * wide * h + layer
    else:
        encoder = config.num_hidden_layers * layer
    # Logits, their float32 copy and their gradient.
    head = masked * v * (narrow + 4 + 4) + masked * h * 3 * wide
    return encoder + head + tokens * h * 3 * wide
