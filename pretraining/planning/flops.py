"""Floating-point operations of BERT pretraining."""

from dataclasses import dataclass

from pretraining.model.config import BertConfig
from pretraining.planning.cards import card_of_device


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


# Without shards at hand: 85 % of the tokens of a full sequence are there on average, 15 % of them masked.
_ASSUMED_FILL, _ASSUMED_MASKED = 0.85, 0.15


def assumed_work(length: int, sequences: int) -> Work:
    """Of sequences that are filled as usual, where no shards say how; `length`: tokens of a full one."""
    tokens = sequences * _ASSUMED_FILL * length
    return Work(round(tokens), round(tokens * length), round(tokens * _ASSUMED_MASKED), sequences)


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
    """Dense peak in TFLOP/s of a GPU by what torch calls it; None where the table of cards has none."""
    card = card_of_device(device_name)
    return None if card is None else card.tflops.get(precision)
