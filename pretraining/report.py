"""Writes the report of a run anew: ``python -m pretraining.report RUN``.

While the run goes on, or after it, from its metrics alone; the run itself writes the same files when it ends.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError, ended_by


def option_parser() -> OptionParser:
    """Which run."""
    parser = OptionParser("python -m pretraining.report", (__doc__ or "").split(":")[0] + ".", PretrainingError)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, output.folder of its recipe")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        given = option_parser().parse_args(argv)
        # Late: the help and a wrong option need no torch.
        from pretraining.run.report_page import write_report
        from pretraining.run.saved.saved_run import read_run

        run = read_run(given.run)
        write_report(run.folder, run.recipe, run.model, run.ranks)
    except (PretrainingError, PreprocessingError, OSError) as error:
        return ended_by(error)
    print(given.run / "report.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
