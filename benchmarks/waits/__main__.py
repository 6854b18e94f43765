"""``python -m benchmarks.waits``: for each part of a step how often the host would wait for a GPU, and where."""

import sys
from collections.abc import Sequence

from preprocessing.arguments import OptionParser


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a line a part, and below it the lines of code that wait."""
    parser = OptionParser("python -m benchmarks.waits", "Operations that would make the host wait for a GPU, counted.")
    parser.add_argument("--only", metavar="TEXT", default="", help="parts whose name has this in it")
    only = parser.parse_args(argv).only
    from benchmarks.waits import finetuning, pretraining  # late: DeepSpeed says a word when it is imported

    for name, count in {**pretraining.PARTS, **finetuning.PARTS}.items():
        if only not in name:
            continue
        waits = count()
        print(f"{waits.total:4}  {name}")
        for place, times in sorted(waits.found.items()):
            print(f"        {times} × {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
