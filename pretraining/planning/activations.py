"""What the forward pass of one micro-batch keeps for the backward pass."""

from pretraining.model.config import BertConfig


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
    padded: bool = False,
) -> int:
    """Bytes at the end of the forward pass, with the loss's own at the start of the backward pass.

    Per layer and token, in values: inputs of the four products (h, h, h, i), q k v (3 h), the input of GELU (i), all
    of the product's width; the two sums that LayerNorm normalises (2 h), float32 under autocast, which is also what
    it computes; two dropout masks of one byte (2 h), and float32's logarithm of each head's softmax sum.
    ``flash`` is attention that keeps no scores (heads × L²); ``padded`` is such attention over a copy of q k v, and of
    what comes out, with every sequence as long as the longest. Checkpointing keeps one hidden state per layer and one
    layer's activations. Scores of the vocabulary: their softmax, kept, and two gradients of the same size, in float32.
    """
    h, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    narrow = 4 if precision == "fp32" else 2
    wide = 2 if precision == "fp16" else 4
    layer = tokens * (narrow * (6 * h + 2 * i) + wide * 2 * h + 2 * h + 4 * config.num_attention_heads)
    if padded:
        layer += narrow * 5 * h * sequences * longest
    if not flash:
        layer += 2 * narrow * config.num_attention_heads * sequences * longest * longest
    if checkpointing:
        encoder = config.num_hidden_layers * tokens * wide * h + layer
    else:
        encoder = config.num_hidden_layers * layer
    head = masked * (3 * 4 * v + (3 * narrow + 2 * wide) * h)
    embeddings = tokens * h * (wide + 1)
    return encoder + head + embeddings


def weight_copy_bytes(config: BertConfig) -> int:
    """16-bit copies of the weights of all products, which autocast makes once a forward pass and the backward pass
    needs again; the decoder's twice, as its rows are filled up to a multiple of 8.
    """
    h, i = config.hidden_size, config.intermediate_size
    return 2 * (config.num_hidden_layers * (4 * h * h + 2 * h * i) + 2 * h * h + 2 * config.vocab_size * h)
