"""Whether a run saw the examples that it should have, in order: ``python -m pretraining.ledger RUN [RUN]``.

One run: works out from its recipe and shards which examples every step should have had, and compares that with what the
ranks wrote down while they trained, over all restarts and whatever their number. Two runs: whether both saw the same.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError, ended_by


def option_parser() -> OptionParser:
    """One run or two."""
    parser = OptionParser("python -m pretraining.ledger", (__doc__ or "").split(":")[0] + ".", PretrainingError)
    parser.add_argument("runs", type=Path, metavar="RUN", nargs="+", help="a run's folder, output.folder of its recipe")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 1 where the examples differ."""
    try:
        given = option_parser().parse_args(argv)
        if len(given.runs) > 2:
            raise PretrainingError(f"give one run or two, not {len(given.runs)}")
        # Late: the help and a wrong option need no torch.
        from pretraining.run.saved.ledger_check import compare_with_recipe, compare_with_run

        first, *others = given.runs
        outcome = compare_with_run(first, others[0]) if others else compare_with_recipe(first)
    except (PretrainingError, PreprocessingError, OSError) as error:
        return ended_by(error)
    print(outcome.text)
    return 0 if outcome.same else 1


if __name__ == "__main__":
    sys.exit(main())
