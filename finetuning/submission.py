"""Files for the benchmarks' own servers and scripts: the GLUE zip and SQuAD's prediction files.

    python -m finetuning.submission glue runs/sweep --output glue.zip [--model LABEL] [--constant WNLI=0]
    python -m finetuning.submission squad runs/sweep --output squad-files

Each task's file comes from the run with the best dev score; nothing is averaged and no test label is seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by
from preprocessing.arguments import OptionParser


def option_parser() -> OptionParser:
    """The options of this command and of its two subcommands."""
    parser = OptionParser("python -m finetuning.submission", (__doc__ or "").split("\n")[0], FinetuningError)
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    for name, what, output in (
        ("glue", "the zip for the GLUE server", "the zip to write"),
        ("squad", "prediction files for SQuAD's own scripts", "folder for the files"),
    ):
        benchmark = benchmarks.add_parser(name, description=f"Writes {what}.", help=what)
        benchmark.add_argument("folders", nargs="+", type=Path, help="folders of sweeps or of single runs")
        benchmark.add_argument("--output", type=Path, required=True, help=output)
        benchmark.add_argument("--model", help="label of the model whose runs are taken, where there are several")
        if name == "glue":
            text = "one answer to every row of a file that no run fills, for instance WNLI=0; may be repeated"
            benchmark.add_argument("--constant", action="append", default=[], metavar="NAME=ANSWER", help=text)
            benchmark.add_argument(
                "--any-size", action="store_true", help="accept test sets of another size than the benchmark's"
            )
            benchmark.add_argument(
                "--allow-missing", action="store_true", help="write the zip even where files are missing"
            )
        else:
            benchmark.add_argument("--split", default="dev", help="the split whose files are copied")
            benchmark.add_argument(
                "--null-threshold",
                metavar="X",
                help="SQuAD 2.0: answer none where that scores more than this above the best span; best: what is best "
                "for F1 on the run's dev split, as the paper chose it (left out: as the run answered, above 0)",
            )
            benchmark.add_argument(
                "--task", choices=("squad1", "squad2"), help="which of the two, where there are runs of both"
            )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        arguments = option_parser().parse_args(argv)
        for line in _write(arguments):
            print(line)
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.submission")
    return 0


def _write(arguments: argparse.Namespace) -> Sequence[str]:
    """Write the files; what to say of them."""
    # Late: the help and a wrong option need no torch.
    from finetuning.reporting import submission
    from finetuning.reporting.gather import best_run, find_runs

    runs = submission.one_model(find_runs(arguments.folders), arguments.model)
    if arguments.benchmark == "squad":
        names = [arguments.task] if arguments.task else ["squad1", "squad2"]
        spans = submission.one_task(runs, names, arguments.folders)
        run, threshold = best_run(spans), arguments.null_threshold
        return [str(path) for path in submission.squad_files(run, arguments.split, arguments.output, threshold)]
    constants = {}
    for item in arguments.constant:
        name, sign, answer = item.partition("=")
        if not sign:
            raise FinetuningError(f"--constant {item}: write NAME=ANSWER, for instance WNLI=0")
        constants[name] = answer
    files = submission.glue_submission(
        runs, constants, any_size=arguments.any_size, allow_missing=arguments.allow_missing
    )
    return [f"{submission.write_zip(arguments.output, files)}: {', '.join(files)}"]


if __name__ == "__main__":
    sys.exit(main())
