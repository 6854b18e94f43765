"""First weights with which a small model leaves the unigram plateau at once: `init.scheme = "neighbours"`.

From the published start a small model learns for a long time which words are frequent and not what stands beside a gap:
attention looks everywhere alike, and has to find places among positions that are noise. Here the network is the
published one, and only its first weights differ:

- word embeddings are larger than the published 0.02, as large as the rate moves them in some fifty steps, and leave
  one half of the width to positions; larger ones leave the plateau as well, but a rate moves them less, here and in
  fine-tuning;
- positions are sinusoids (Vaswani et al. 2017, section 3.5) in that half;
- the heads of the first layer look at one neighbour each, at −1, +1, −2, +2, … (fixed such heads serve as well as
  learnt ones: Raganato et al. 2020, section 3); further layers start as published.

All of it is learnt from there like any other weight. What each part brings: docs/plateau.md.
"""

import math

import torch
from torch import Tensor, nn

from pretraining.model.bert import BertForPreTraining, SelfAttention

SCALE = 0.05  # deviation of word embeddings, and amplitude of positions
FASTEST, SLOWEST = 2.0, 0.05  # radians a position, of the sinusoids
SCORE_GAP = 4.0  # between the wanted neighbour and those beside it, before the softmax: a share of 0.86 to 0.91
_FAINT = 0.1  # what is left of random weights where the scheme has its own
_CUT_VARIANCE = 0.774  # of a normal distribution of variance 1 that is cut at two deviations


@torch.no_grad()
def start_at_neighbours(model: BertForPreTraining, scale: float = SCALE, *, heads: bool = True) -> None:
    """Changes the first weights of `model` in place, from those as published.

    Another `scale`, and heads that look nowhere in particular, are for comparisons (benchmarks/plateau).
    """
    embeddings = model.bert.embeddings
    width = embeddings.word.embedding_dim
    pairs = width // 4
    radians_f = frequencies(pairs)
    nn.init.trunc_normal_(embeddings.word.weight, std=scale, a=-2 * scale, b=2 * scale)
    embeddings.word.weight[:, : 2 * pairs] *= _FAINT
    embeddings.position.weight.zero_()
    angle_pf = torch.arange(embeddings.position.num_embeddings)[:, None] * radians_f
    embeddings.position.weight[:, 0 : 2 * pairs : 2] = scale * angle_pf.cos()
    embeddings.position.weight[:, 1 : 2 * pairs : 2] = scale * angle_pf.sin()
    first = model.bert.layers[0].attention
    assert isinstance(first, SelfAttention)
    if heads:
        _look_beside(first, radians_f, width)


def frequencies(pairs: int) -> Tensor:
    """Radians a position of each sinusoid [pairs], in geometric steps from the fastest to the slowest."""
    return FASTEST * (SLOWEST / FASTEST) ** (torch.arange(pairs) / max(1, pairs - 1))


def offset(head: int) -> int:
    """Where a head looks: −1, +1, −2, +2 and so on."""
    return (head // 2 + 1) * (-1 if head % 2 == 0 else 1)


def _look_beside(attention: SelfAttention, radians_f: Tensor, width: int) -> None:
    """A query is its position's sinusoids turned on by `offset`, a key its own: their product is highest there.

    score(p, j) = scale · amplitude² · Σ_f cos(ω_f · (p + offset − j)) / √head_size.
    """
    head_size = width // attention.heads
    used = min(head_size // 2, len(radians_f))
    chosen = torch.linspace(0, len(radians_f) - 1, used).round().long()
    radians_u = radians_f[chosen]
    # LayerNorm makes of word and position, both of one scale, a sum of variance 1; a segment counts little.
    amplitude_squared = 1 / (1 / 4 + _CUT_VARIANCE * (1 + _FAINT**2) / 2)
    scale = SCORE_GAP * math.sqrt(head_size) / (amplitude_squared * float((1 - radians_u.cos()).sum()))
    query_hw, key_hw, _ = attention.qkv.weight.chunk(3)
    for head in range(attention.heads):
        rows = slice(head * head_size, (head + 1) * head_size)
        query_dw, key_dw = query_hw[rows], key_hw[rows]
        query_dw *= _FAINT
        key_dw *= _FAINT
        first_r, first_w = 2 * torch.arange(used), 2 * chosen
        turn_u = radians_u * offset(head)
        for row, column, value_u in (
            (0, 0, turn_u.cos()),
            (0, 1, -turn_u.sin()),
            (1, 0, turn_u.sin()),
            (1, 1, turn_u.cos()),
        ):
            query_dw[first_r + row, first_w + column] += scale * value_u
        for part in (0, 1):
            key_dw[first_r + part, first_w + part] += 1.0
