"""Fetches what the preprocessing reads: Wikipedia dumps, and books of Project Gutenberg.

    python -m preprocessing.download wikipedia --language en --date 20260901 --output dumps/
    python -m preprocessing.download books --ids 158 1342 --output books/
    python -m preprocessing.download books --language en --limit 500 --output books/

A broken transfer goes on where it stopped, also in the next run; a file gets its name when it is complete and, for
Wikipedia, when its SHA-1 agrees with the mirror's own sums file. Gutenberg publishes no sums; there the length is
checked.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError, raise_all
from preprocessing.progress import BYTES, SILENT, Progress, add_quiet, progress_of
from preprocessing.sources.download.catalogue import gutenberg_ids
from preprocessing.sources.download.transfer import MirrorUnavailableError, Transfer, fetch_text

WIKIMEDIA = "https://dumps.wikimedia.org"
GUTENBERG = "https://www.gutenberg.org"
UNANSWERED = 3  # files in a row after which the mirror is taken to be down
_LANGUAGE = re.compile(r"[a-z][a-z-]*[a-z]")
_DATE = re.compile(r"[0-9]{8}|latest")
_SUM_LINE = re.compile(r"([0-9a-f]{40})\s+(\S+)")


def wikipedia_transfers(mirror: str, language: str, date: str, output: Path) -> list[Transfer]:
    """The article files of one dump, with their sums. Raises PreprocessingError when the mirror has no such dump.

    A large edition is published in parts; the parts are fetched rather than the one file that joins them.
    """
    if not _LANGUAGE.fullmatch(language):
        raise PreprocessingError(f"--language {language!r} is not a Wikipedia code; give one such as en, de or simple.")
    if not _DATE.fullmatch(date):
        raise PreprocessingError(f"--date {date!r} is not a dump's date; give YYYYMMDD or latest.")
    wiki = f"{language.replace('-', '_')}wiki"
    sums_url = f"{mirror}/{wiki}/{date}/{wiki}-{date}-sha1sums.txt"
    sums = {name: digest for digest, name in _SUM_LINE.findall(fetch_text(sums_url))}
    articles = {
        match[0]: match["date"]
        for name in sums
        if (match := re.fullmatch(rf"{wiki}-(?P<date>\d+)-pages-articles-multistream\d*\.xml(?:-p\d+p\d+)?\.bz2", name))
    }
    parts = {name for name in articles if not name.endswith("multistream.xml.bz2")}
    if not articles:
        raise PreprocessingError(
            f"{sums_url} names no article file; the dump may still be running: choose an older --date."
        )
    return [
        # A dump called latest is a set of links to a dated one: its sums file names the real files.
        Transfer(f"{mirror}/{wiki}/{articles[name]}/{name}", output / name, sums[name])
        for name in sorted(parts or articles)
    ]


def book_transfers(mirror: str, ids: Sequence[int], output: Path) -> list[Transfer]:
    """The UTF-8 plain text of each book."""
    return [
        Transfer(f"{mirror}/cache/epub/{number}/pg{number}.txt", output / f"pg{number}.txt", None) for number in ids
    ]


def download(transfers: Sequence[Transfer], *, attempts: int, pause: float, progress: Progress = SILENT) -> None:
    """Runs the transfers one after the other (mirrors ask for that), showing progress; complete files are checked only.

    One that fails keeps no other from being fetched: what failed is raised at the end, all of it, unless the mirror
    stops answering.
    """
    faults: list[PreprocessingError] = []
    unanswered = 0
    for number, transfer in enumerate(transfers, 1):
        try:
            with progress.count(f"{number}/{len(transfers)} {transfer.target.name}", unit=BYTES) as count:
                transfer.run(attempts=attempts, pause=pause, show=count.reach)
            unanswered = 0
        except MirrorUnavailableError as fault:
            unanswered += 1
            if unanswered == UNANSWERED or len(transfers) == 1:
                raise
            faults.append(fault)
        except PreprocessingError as fault:
            faults.append(fault)
    raise_all(faults)


def _parser() -> OptionParser:
    parser = OptionParser("python -m preprocessing.download", __doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    wikipedia = commands.add_parser(
        "wikipedia", help="the articles of one edition", description="Fetches the articles of one edition of Wikipedia."
    )
    wikipedia.add_argument("--language", default="en", help="the edition's code: en, de, simple …")
    wikipedia.add_argument("--date", default="latest", help="the dump's date, YYYYMMDD, or latest")
    wikipedia.add_argument("--mirror", default=WIKIMEDIA, help="address of a mirror of dumps.wikimedia.org")
    books = commands.add_parser(
        "books",
        help="plain text books of Project Gutenberg",
        description="Fetches plain text books of Project Gutenberg.",
    )
    books.add_argument(
        "--ids", nargs="+", type=int, help="numbers of the books (default: the first ones of the catalogue)"
    )
    books.add_argument("--language", default="en", help="language of the books taken from the catalogue")
    books.add_argument("--limit", type=int, default=100, help="how many books are taken from the catalogue")
    books.add_argument("--mirror", default=GUTENBERG, help="address of a mirror; use one for more than a few books")
    for command in (wikipedia, books):
        command.add_argument("--output", type=Path, required=True, help="folder for the files")
        command.add_argument("--attempts", type=int, default=8, help="tries without a new byte before giving up")
        command.add_argument(
            "--pause", type=float, default=2.0, help="seconds before the second try; doubles each time"
        )
        add_quiet(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 0, 2 for what the user can mend, 75 for a mirror that may answer later."""
    transfers: list[Transfer] = []
    try:
        arguments = _parser().parse_args(argv)
        mirror = arguments.mirror.rstrip("/")
        if arguments.command == "wikipedia":
            transfers = wikipedia_transfers(mirror, arguments.language, arguments.date, arguments.output)
        else:
            ids = arguments.ids or gutenberg_ids(mirror, arguments.language, arguments.limit)
            transfers = book_transfers(mirror, ids, arguments.output)
        download(transfers, attempts=arguments.attempts, pause=arguments.pause, progress=progress_of(arguments))
    except PreprocessingError as error:
        print(f"download: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("download: stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    finally:
        for transfer in transfers:
            if transfer.target.exists():
                print(transfer.target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
