"""Dropout on the CPU with keys and with torch's generator: `python -m benchmarks.dropout [--rounds N]`.

Masks alone, and attention forward and backward. CPU time of one thread in milliseconds, the best of rounds that
alternate. The last line is one JSON object.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence

import torch

from preprocessing.arguments import OptionParser
from pretraining.model.attention import packed_attention
from pretraining.model.dropout import keep_mask
from pretraining.model.sequence_layout import SequenceLayout

MASKS = ((4096, 256), (4096, 768), (28, 128, 128), (12, 128, 128), (512, 512))
ATTENTION = ((28, 128, 4), (3, 256, 12), (2, 512, 12), (1, 512, 16))  # sequences, tokens, heads of 64


def mask(shape: tuple[int, ...], *, keyed: bool) -> Callable[[], None]:
    """A function that draws one mask, float32."""
    like = torch.empty(shape)
    row_keys = torch.arange(like[..., 0].numel()).view(shape[:-1]) if keyed else None

    def draw() -> None:
        keep_mask(like, 0.1, row_keys)

    return draw


def attention(sequences: int, length: int, heads: int, dtype: torch.dtype, *, keyed: bool) -> Callable[[], None]:
    """A function that computes attention and its gradient."""
    tokens = sequences * length
    layout = SequenceLayout.of(torch.arange(0, tokens + 1, length, dtype=torch.int32), length)
    qkv_t3hd = torch.randn(tokens, 3, heads, 64).to(dtype).requires_grad_()
    grad_thd = torch.randn(tokens, heads, 64).to(dtype)
    token_keys_t = torch.arange(tokens) if keyed else None

    def attend() -> None:
        torch.autograd.grad(packed_attention(qkv_t3hd, layout, 0.1, token_keys_t), qkv_t3hd, grad_thd)

    return attend


def best_of(ways: dict[str, Callable[[], None]], rounds: int, repeats: int) -> dict[str, float]:
    """Milliseconds that each way takes."""
    best = dict.fromkeys(ways, float("inf"))
    for way in ways.values():
        way()  # compiles
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.thread_time()
            for _ in range(repeats):
                way()
            best[name] = min(best[name], (time.thread_time() - start) / repeats * 1e3)
    return best


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.dropout", "Dropout on the CPU with keys and with torch's generator.")
    parser.add_argument("--rounds", type=int, default=20, help="rounds in which both ways are timed")
    rounds = parser.parse_args(argv).rounds
    torch.set_num_threads(1)
    names, figures = {"torch's generator": False, "keys": True}, {}
    for shape in MASKS:
        ways = {name: mask(shape, keyed=keyed) for name, keyed in names.items()}
        figures[f"mask {' × '.join(map(str, shape))}"] = best_of(ways, rounds, repeats=10)
    for case in ATTENTION:
        for dtype in (torch.float32, torch.bfloat16):
            ways = {name: attention(*case, dtype, keyed=keyed) for name, keyed in names.items()}
            name = f"attention {' × '.join(map(str, case))}, {str(dtype).removeprefix('torch.')}"
            figures[name] = best_of(ways, rounds, repeats=1)
    for name, best in figures.items():
        print(name, *(f"{way}: {found:.2f}" for way, found in best.items()), sep="; ", file=sys.stderr)
    print(json.dumps(figures, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
