"""What the commands that run a chain have in common: how they begin, and how they end."""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.errors import ClusterError
from cluster.stages.commands import require_checkout

EXIT_INTERRUPTED = 130  # as a shell says it of SIGINT


def run_program(name: str, parser: ArgumentParser, argv: Sequence[str] | None, run: Callable[[Namespace], str]) -> int:
    """Parses, runs and prints what `run` returns; the exit code. What went wrong is a sentence that `name` begins."""
    from preprocessing.errors import PreprocessingError
    from preprocessing.progress import add_quiet

    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # One thread a rank: two ranks with a pool of all cores each would fight over them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended by it as by Ctrl-C
    add_quiet(parser)
    try:
        given = parser.parse_args(argv)
        require_checkout()
        said = run(given)
    except (ClusterError, PreprocessingError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run the same command again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(said)
    return 0
