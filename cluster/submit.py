"""The whole road as a chain of Slurm jobs: raw text, shards, two phases of pretraining, fine-tuning, a report.

    python -m cluster.submit run.toml               submits what is missing; again, it goes on where the chain stands
    python -m cluster.submit run.toml --dry-run     prints the commands, and submits nothing
    python -m cluster.submit status run.toml        a table: each stage, its job, how far it is, when it will end;
                                                    --html PAGE writes it as a page too
    python -m cluster.submit cancel run.toml        ends the jobs of the chain, and no others

`cluster/recipes/bert-large.toml` is such a file, docs/chain.md the page. Exit codes: 0, and 2 with one sentence.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

PROG = "python -m cluster.submit"
LONGEST_SECONDS = 86_400.0


def submit(words: Sequence[str]) -> int:
    """Submits a chain, or prints what would be done; returns the exit code."""
    text = "Submits the stages of a file as a chain of dependent Slurm jobs: those that are not complete."
    parser = _parser(PROG, text)
    parser.epilog = f"Also: {PROG} status FILE, {PROG} cancel FILE; each has its --help."
    parser.add_argument("--dry-run", action="store_true", help="print the commands as a script, and submit nothing")
    text = "make this stage anew, and all that follows from it; what is there is set aside (may be given repeatedly)"
    parser.add_argument("--redo", action="append", default=[], metavar="STAGE", help=text)
    text = "take what this stage left as it is, although its options were changed (may be given repeatedly)"
    parser.add_argument("--keep", action="append", default=[], metavar="STAGE", help=text)
    arguments = parser.parse_args(words)
    from cluster.chain.dry_run import dry_run
    from cluster.chain.road import read_chain
    from cluster.chain.submission import Wishes, submit_chain

    chain = read_chain(arguments.file)
    wishes = Wishes(tuple(arguments.redo), tuple(arguments.keep))
    if arguments.dry_run:
        print(dry_run(chain, wishes))
    elif not submit_chain(chain, wishes, _say):
        _say(f"{chain.output}: nothing to submit, the chain is complete or in the queue: {PROG} status {chain.file}")
    return 0


def status(words: Sequence[str]) -> int:
    """Prints how a chain stands; returns the exit code."""
    parser = _parser(f"{PROG} status", "Shows how a chain stands: a row for each stage.")
    parser.add_argument("--watch", action="store_true", help="show it anew until no job waits or runs any more")
    text = "also write it as a page that a browser shows; with --watch the page is written anew at every look"
    parser.add_argument("--html", type=Path, metavar="PAGE", help=text)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two looks with --watch")
    arguments = parser.parse_args(words)
    if not 0 < arguments.every <= LONGEST_SECONDS:  # also what is no number
        raise ClusterError(f"--every {arguments.every}: give a number of seconds above 0, a day at most")
    from rich.console import Console

    from cluster.chain import slurm
    from cluster.chain.page import write_page
    from cluster.chain.record import Record
    from cluster.chain.road import read_chain
    from cluster.chain.table import UNSEEN, as_table, rows_of

    chain = read_chain(arguments.file)
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    while True:
        try:
            record = Record.read(chain.output)
            jobs, unseen = None, UNSEEN
            if slurm.is_here():
                stranger = record.strangers(slurm.cluster_name()) if record else None
                if stranger is None:
                    jobs = record.own(slurm.queue()) if record else {}
                else:
                    unseen = f"submitted {stranger}: ask there"
        except ClusterError as error:
            if not arguments.watch:
                raise
            _say(f"{error}: asked again in {arguments.every:g} seconds")  # a busy controller ends no watch
            time.sleep(arguments.every)
            continue
        now = datetime.now()
        rows = rows_of(chain, record, jobs, now, unseen)
        goes_on = arguments.watch and any(row.is_active for row in rows)
        if arguments.html is not None:
            write_page(arguments.html, chain, rows, now, arguments.every if goes_on else None)
        if arguments.watch and console.is_terminal:
            console.clear()
        console.print(as_table(chain, rows))
        if not goes_on:
            return 0
        time.sleep(arguments.every)


def cancel(words: Sequence[str]) -> int:
    """Ends the jobs of a chain; returns the exit code."""
    text = "Ends the jobs of a chain that wait or run, and no others. What is complete stays; submit again to go on."
    arguments = _parser(f"{PROG} cancel", text).parse_args(words)
    from cluster.chain.configuration import read_configuration
    from cluster.chain.submission import cancel_chain

    # No more of the file than it needs: a chain must end though a recipe of it is gone.
    output = read_configuration(arguments.file).output
    if not cancel_chain(output, _say):
        _say(f"{output}: no job of this chain waits or runs")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"status": status, "cancel": cancel}


def _parser(prog: str, text: str) -> Any:
    from preprocessing.arguments import OptionParser

    parser = OptionParser(prog, text, ClusterError)
    parser.add_argument("file", type=Path, metavar="FILE", help="the chain, as cluster/recipes/bert-large.toml")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    command, rest = (COMMANDS[words[0]], words[1:]) if words[:1] and words[0] in COMMANDS else (submit, words)
    from finetuning.errors import FinetuningError
    from preprocessing.errors import PreprocessingError

    try:
        return command(rest)
    except (ClusterError, FinetuningError, PreprocessingError) as error:
        print(f"submit: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"submit: {place}{error.strerror or error}; mend that and run the same command again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
