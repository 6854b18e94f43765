"""The `beam` command: `beam run FILE [--engine NAME] [--workers N] [any Beam or pipeline option]`.

It turns the engine's name into Beam options and runs the file as Beam users know it, in this process: exit code and
standard streams are the file's own. Everything it does not know passes through. SIGTERM, by which Slurm ends a job,
reaches the file as Ctrl-C does, so that it ends in order.
"""

import argparse
import logging
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from cluster.engines.options import ENGINES, engine_options
from cluster.errors import ClusterError


class _HelpOfWhom(argparse.Action):
    """`--help` after the file is the file's own; before it, or without one, it asks for the help of `beam run`."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if getattr(namespace, "file", None) is None:
            parser.print_help()
            parser.exit()
        namespace.help_of_file = [option]


def option_parser() -> argparse.ArgumentParser:
    """`beam` and its one subcommand."""
    from preprocessing.arguments import OptionParser

    parser = OptionParser("beam", "Runs Apache Beam pipelines on this machine or on a cluster.", ClusterError)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="run a pipeline's file on an engine",
        description="Runs a pipeline's file on an engine, in this process.",
        epilog="Everything else, options of Beam among it, is handed on to the file: `beam run FILE --help` is the "
        "file's own help.",
        usage="%(prog)s FILE [--engine NAME] [--workers N] [any option of Beam or of the file]",
        add_help=False,
    )
    run.add_argument("file", type=Path, metavar="FILE", help="the pipeline, for instance preprocessing/pipeline.py")
    text = "show this help message and exit; after FILE: that of the file"
    run.add_argument("-h", "--help", nargs=0, action=_HelpOfWhom, dest="help_of_file", default=[], help=text)
    run.add_argument("--engine", choices=ENGINES, help="where to run (default: local, unless --runner names a runner)")
    text = "worker processes (default: on this machine one for each core, elsewhere the engine's own)"
    run.add_argument("--workers", type=int, help=text)
    return parser


def parse(argv: Sequence[str]) -> tuple[Path, list[str]]:
    """The file to run and the arguments it gets. Raises `ClusterError`; `SystemExit` after a help."""
    from preprocessing.arguments import that_comes_along

    known, rest = option_parser().parse_known_args(argv)
    known.file = that_comes_along(known.file)
    if known.help_of_file and known.file.is_file():  # whatever the engine lacks
        return known.file, [*rest, *known.help_of_file]
    if not known.file.is_file():
        raise ClusterError(f"beam run {known.file}: no such file")
    if known.workers is not None and known.workers < 1:
        raise ClusterError(f"--workers {known.workers}: must be at least 1")
    named_runner = any(option.split("=", 1)[0] == "--runner" for option in rest)
    if named_runner and known.engine is None:
        return known.file, rest
    return known.file, rest + engine_options(known.engine or "local", known.workers, rest)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Once: who ends a job may say so to every process of it, and again to those that are ending.

    What libraries log from then on is that others end as well.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.disable()
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    try:
        file, arguments = parse(sys.argv[1:] if argv is None else argv)
    except ClusterError as error:
        print(f"beam: {error}", file=sys.stderr)
        return error.exit_code
    # Beam's local worker processes read their options from here alone; by default each reports every step of its
    # start and end.
    os.environ.setdefault("PIPELINE_OPTIONS_FILE", str(Path(__file__).parent / "engines" / "worker_options.json"))
    signal.signal(signal.SIGTERM, _interrupt)
    sys.argv = [str(file), *arguments]
    # run_path, unlike `python FILE`, leaves the file's folder off sys.path: `inspect.py` beside a pipeline must
    # not shadow the standard library's.
    runpy.run_path(str(file), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
