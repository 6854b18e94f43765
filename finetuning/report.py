"""The report of a sweep: `report.html` with plots, `report.md` with the tables, `report.json` with every figure.

    python -m finetuning.report runs/sweep [runs/other …] [--output FOLDER] [--baseline LABEL] [--interval bootstrap]

Scores are those of the dev split after the last epoch, or after the one where a run was stopped early. The best setting
of a task is the one with the highest mean among those with the most seeds; it was chosen on the same seeds, for which
its interval allows. How each figure came to be stands in the report, and in docs/sweeps.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by
from preprocessing.arguments import OptionParser


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.report", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of sweeps or of single runs")
    parser.add_argument("--output", type=Path, help="folder for the report; left out: the first folder")
    parser.add_argument("--baseline", help="label of the model to compare the others with; left out: the first")
    parser.add_argument(
        "--interval", choices=("t", "bootstrap"), default="t", help="how the 95%% intervals are computed"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        arguments = option_parser().parse_args(argv)
        # Late: the help and a wrong option need no torch.
        from finetuning.reporting.content import build
        from finetuning.reporting.page import write_report

        report = build(arguments.folders, baseline=arguments.baseline, method=arguments.interval)
        paths = write_report(report, arguments.output or arguments.folders[0])
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.report")
    for path in paths:
        print(path)
    if report["missing_runs"]:
        print(
            f"{len(report['missing_runs'])} runs of the sweep have no result yet; the report lists them",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
