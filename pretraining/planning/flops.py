"""Floating-point operations of BERT pretraining, and what the makers of devices say that these can do at most."""

from dataclasses import dataclass

from pretraining.model.config import BertConfig

# Dense TFLOP/s from NVIDIA's datasheets: (16-bit tensor cores without sparsity, float32 without tensor cores).
# V100 SXM2, A100 SXM 80 GB, H100 SXM, H200 SXM, B200 (HGX B200, an eighth). V100 has float16 only.
DATASHEET_TFLOPS: dict[str, tuple[float, float | None]] = {
    "v100": (125.0, 15.7),
    "a100": (312.0, 19.5),
    "h100": (989.4, 66.9),
    "h200": (989.4, 66.9),
    "b200": (2250.0, None),
}
# Bytes of device memory, same datasheets.
DATASHEET_MEMORY: dict[str, int] = {
    "v100": 32 * 10**9,
    "a100": 80 * 10**9,
    "h100": 80 * 10**9,
    "h200": 141 * 10**9,
    "b200": 180 * 10**9,
}


@dataclass(frozen=True, slots=True)
class Work:
    """What was computed on, in real tokens: padding never counts."""

    tokens: int
    squared_tokens: int  # sum of length² over sequences
    masked_tokens: int
    sequences: int

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.tokens + other.tokens,
            self.squared_tokens + other.squared_tokens,
            self.masked_tokens + other.masked_tokens,
            self.sequences + other.sequences,
        )


def forward_flops(config: BertConfig, work: Work) -> float:
    """FLOPs of the matrix products of one forward pass (a multiply-add is two).

    Per layer and token 8 h² + 4 h i for the projections and the feed-forward layer; per layer and sequence 4 h L² for
    the scores and the weighted values; the masked-token head on masked positions only; pooler and next-sentence head.
    """
    h, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    encoder = config.num_hidden_layers * ((8 * h * h + 4 * h * i) * work.tokens + 4 * h * work.squared_tokens)
    heads = (2 * h * h + 2 * h * v) * work.masked_tokens + (2 * h * h + 4 * h) * work.sequences
    return float(encoder + heads)


def training_flops(config: BertConfig, work: Work) -> float:
    """Forward and backward, which costs twice the forward pass. Recomputed activations do not count as model FLOPs."""
    return 3.0 * forward_flops(config, work)


def datasheet_tflops(device_name: str, precision: str) -> float | None:
    """Dense peak of a GPU by (a part of) its name; None where the table has none."""
    for name, (sixteen_bit, thirty_two_bit) in DATASHEET_TFLOPS.items():
        if name in device_name.lower():
            return thirty_two_bit if precision == "fp32" else sixteen_bit
    return None
