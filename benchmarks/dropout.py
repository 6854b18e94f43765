"""Dropout on the CPU with keys and with torch's generator: `python -m benchmarks.dropout [--rounds N]`.

CPU time of one thread in milliseconds, the best of rounds that alternate. The last line is one JSON object.
"""

import json
import sys
from collections.abc import Callable, Sequence

import torch

from benchmarks.thread_time import best_of
from preprocessing.arguments import OptionParser
from pretraining.model.dropout import keep_mask

MASKS = ((4096, 256), (4096, 768), (28, 128, 128), (12, 128, 128), (512, 512))


def mask(shape: tuple[int, ...], *, keyed: bool) -> Callable[[], None]:
    """A function that draws one mask, float32."""
    like = torch.empty(shape)
    row_keys = torch.arange(like[..., 0].numel()).view(shape[:-1]) if keyed else None

    def draw() -> None:
        keep_mask(like, 0.1, row_keys)

    return draw


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
    for name, best in figures.items():
        print(name, *(f"{way}: {found:.2f}" for way, found in best.items()), sep="; ", file=sys.stderr)
    print(json.dumps(figures, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
