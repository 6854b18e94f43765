"""The check that a job of several nodes does in its first seconds, before hours are spent on a bad node.

    srun python -m cluster.preflight --output RUN --shards SHARDS

Started once a rank, as the run will be: by srun, torchrun, deepspeed, or alone. It compares versions and clocks,
multiplies on every device, writes and reads memory, adds up over all ranks and between every two nodes, and looks from
every node at the run's folder and the shards. Exit code 0 with a short table, or 2 on every rank, and rank 0 says for
each fault which node it is and what to do.
"""

import argparse
import sys
from collections.abc import Sequence

from cluster.checks.options import Options
from cluster.errors import ClusterError


def parse(argv: Sequence[str] | None) -> Options:
    """The options of a command line. Raises `ClusterError`."""
    from preprocessing.arguments import OptionParser, add_models, build_model

    text = "Checks the nodes of a job before its hours are spent: one process a rank, started as the run will be."
    parser = OptionParser("python -m cluster.preflight", text, ClusterError)
    add_models(parser, (Options,))
    parser.add_argument("--local_rank", help=argparse.SUPPRESS)  # the deepspeed launcher adds it
    return build_model(Options, parser.parse_args(argv), ClusterError)


def main(argv: Sequence[str] | None = None) -> int:
    """One rank of the check; returns the exit code."""
    from pretraining.errors import PretrainingError

    try:
        options = parse(argv)
        from cluster.checks import suite

        report = suite.run(options)
    except (ClusterError, PretrainingError) as error:
        print(f"preflight: {error}", file=sys.stderr)
        return ClusterError.exit_code
    if report.rank == 0:
        for name, figures in report.lines:
            print(f"preflight: {name:<10} {figures}")
        for sentence in (*report.faults, *report.left_out):
            print(f"preflight: {sentence}", file=sys.stderr)
        if report.faults:
            count = len(report.faults)
            print(f"preflight: {count} {'faults' if count > 1 else 'fault'}, see above", file=sys.stderr)
        else:
            print("preflight: all is well")
        sys.stdout.flush()
    return 0 if report.is_well else ClusterError.exit_code


if __name__ == "__main__":
    sys.exit(main())
