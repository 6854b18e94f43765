"""What the model computes by code of its own on the CPU, next to torch's: `python -m benchmarks.kernels [--rounds N]`.

Attention over sequences of one length, and decoder with the loss of the masked tokens, forward and backward, in float32
and in bfloat16 autocast. CPU time of one thread in milliseconds, the best of rounds that alternate. The last line is
one JSON object.
"""

import json
import sys
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from benchmarks.thread_time import best_of
from preprocessing.arguments import OptionParser
from pretraining.model.attention import packed_attention
from pretraining.model.masked_token_loss import masked_token_loss
from pretraining.model.sequence_layout import SequenceLayout

ATTENTION = ((16, 128, 4), (28, 128, 4), (8, 128, 12), (3, 256, 12), (2, 512, 12), (1, 512, 16))
"""Sequences, tokens, heads of 64."""
LOSSES = ((307, 8192, 256), (605, 30522, 256), (150, 30522, 768), (77, 30522, 1024))
"""Masked tokens, pieces of the vocabulary, width."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def attention(case: tuple[int, int, int], dtype: torch.dtype, dropout: float) -> dict[str, Callable[[], None]]:
    """torch's `scaled_dot_product_attention`, which needs no mask here, and ours, with dropout from keys."""
    sequences, length, heads = case
    tokens = sequences * length
    layout = SequenceLayout.of(torch.arange(0, tokens + 1, length, dtype=torch.int32), length)
    qkv_t3hd = torch.randn(tokens, 3, heads, 64).to(dtype).requires_grad_()
    grad_thd = torch.randn(tokens, heads, 64).to(dtype)
    token_keys_t = torch.arange(tokens)

    def torchs() -> None:
        query, key, value = (part.transpose(1, 2) for part in qkv_t3hd.unflatten(0, (sequences, length)).unbind(2))
        context = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        torch.autograd.grad(context.transpose(1, 2).flatten(0, 1), qkv_t3hd, grad_thd)

    def ours() -> None:
        torch.autograd.grad(packed_attention(qkv_t3hd, layout, dropout, token_keys_t), qkv_t3hd, grad_thd)

    return {"torch": torchs, "ours": ours}


def loss(case: tuple[int, int, int], dtype: torch.dtype) -> dict[str, Callable[[], None]]:
    """Linear layer, cross-entropy and the share that is right, by torch and by ours."""
    masked, pieces, width = case
    hidden_mh = torch.randn(masked, width, requires_grad=True)
    decoder_vh = (torch.randn(pieces, width) / width**0.5).requires_grad_()
    bias_v, labels_m = torch.zeros(pieces, requires_grad=True), torch.randint(0, pieces, (masked,))

    def differentiated(way: Callable[[], torch.Tensor]) -> Callable[[], None]:
        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                value = way()
            torch.autograd.grad(value, (hidden_mh, decoder_vh, bias_v))

        return run

    def torchs() -> torch.Tensor:
        scores_mv = F.linear(hidden_mh, decoder_vh, bias_v).float()
        (scores_mv.detach().argmax(1) == labels_m).sum()
        return F.cross_entropy(scores_mv, labels_m, reduction="sum")

    def ours() -> torch.Tensor:
        return masked_token_loss(hidden_mh, decoder_vh, bias_v, labels_m)[0]

    return {"torch": differentiated(torchs), "ours": differentiated(ours)}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.kernels", "The model's own code for the CPU next to torch's.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds in which both ways are timed")
    rounds = parser.parse_args(argv).rounds
    torch.set_num_threads(1)
    figures: dict[str, dict[str, float]] = {}
    for name, dtype in PRECISIONS.items():
        for case in ATTENTION:
            for dropout in (0.0, 0.1):
                label = f"attention {' × '.join(map(str, case))}, dropout {dropout}, {name}"
                figures[label] = best_of(attention(case, dtype, dropout), rounds)
        for case in LOSSES:
            figures[f"loss {' × '.join(map(str, case))}, {name}"] = best_of(loss(case, dtype), rounds)
    for label, best in figures.items():
        ratio = best["torch"] / best["ours"]
        print(f"{label}: torch {best['torch']:.1f} ms, ours {best['ours']:.1f}, ratio {ratio:.2f}", file=sys.stderr)
    print(json.dumps(figures, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
