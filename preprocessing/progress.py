"""How far a long command is, on stderr: one line kept in place on a terminal, one complete line a minute elsewhere.

    progress = progress_of(arguments)  # silent where --quiet was given
    with progress.count("hash inputs", total_bytes, BYTES) as count:
        …  count.advance(len(block))

    hash inputs: 1,204 of 4,100 MB, 310.2 MB/s, 0:00:09 left, 0:00:04 so far

A function that takes long takes a `Progress`, and says nothing without one. Counting costs an addition under a lock:
the line is made by a thread of its own, which also goes on while nothing comes.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from rich.live import Live

Item = TypeVar("Item")

BYTES = "bytes"
"""The unit of what is counted in bytes, and said in MB."""
LINE_SECONDS = 60.0
"""Between two lines where there is no terminal."""
TERMINAL_SECONDS = 0.5
"""Between two looks of a line on a terminal."""


class Progress:
    """Where a command says how far it is: on `stream`, or nowhere without one. `clock` is in seconds."""

    def __init__(self, stream: IO[str] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.said = clock()  # the last line, of whichever step: where there is no terminal the next is due a minute on

    @property
    def in_place(self) -> bool:
        """Whether a line can be kept up to date, on a terminal that can do so."""
        if self.stream is None or not self.stream.isatty():
            return False
        from rich.console import Console  # late: only a terminal needs it

        console = Console(file=self.stream)
        return console.is_terminal and not console.is_dumb_terminal

    def remark(self, sentence: str) -> None:
        """Says what the user should know and what is no error, above the line where there is one."""
        if self.stream is not None:
            print(sentence, file=sys.stderr, flush=True)

    def line(self, text: Callable[[], str]) -> "Line":
        """A line that says `text()`, which a thread calls: now and then, and once where the line ends."""
        return Line(self, text)

    def count(self, name: str, total: float | None = None, unit: str = "") -> "Count":
        """Counts up to `total`, if that is known, in `unit`: BYTES, or a plural such as "shards"."""
        return Count(self, name, total, unit)

    def over(self, items: Iterable[Item], name: str, total: int, unit: str) -> Iterator[Item]:
        """The items, each counted when the next one is asked for."""
        with self.count(name, total, unit) as count:
            for item in items:
                yield item
                count.advance()


class Line:
    """Shows a text as long as it is entered; on a terminal it is gone afterwards.

    Elsewhere a line that ends after more than `LINE_SECONDS` is said a last time.
    """

    def __init__(self, progress: Progress, text: Callable[[], str]) -> None:
        self.progress = progress
        self.text = text
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self.begun = self.progress.clock()
        if self.progress.stream is not None:
            run = self._keep_in_place if self.progress.in_place else self._write_now_and_then
            self._thread = threading.Thread(target=run, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()
        elif self._thread is not None and self.seconds > LINE_SECONDS:
            self._write()

    @property
    def seconds(self) -> float:
        """Since it was entered."""
        return self.progress.clock() - self.begun

    def _write_now_and_then(self) -> None:
        progress = self.progress
        while not self._ended.wait(max(0.0, progress.said + LINE_SECONDS - progress.clock())):
            self._write()

    def _write(self) -> None:
        assert self.progress.stream is not None
        self.progress.said = self.progress.clock()
        with suppress(OSError):  # nobody reads it any more: that ends no work
            self.progress.stream.write(f"{self.text()}\n")
            self.progress.stream.flush()

    def _keep_in_place(self) -> None:
        from rich.text import Text

        with suppress(OSError):  # the terminal is gone
            while not self._ended.wait(TERMINAL_SECONDS):
                if self._live is None:
                    self._live = self._new_live()
                    self._live.start()
                    self._live.console.show_cursor(True)  # a command that is killed could not show it again
                self._live.update(Text(self.text(), no_wrap=True, overflow="ellipsis"), refresh=True)

    def _new_live(self) -> "Live":
        """Whatever else is printed on the terminal meanwhile comes above the line, as long as it is."""
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.progress.stream, soft_wrap=True, highlight=False)
        # Standard output that is a file or a pipe stays what it is.
        return Live(console=console, auto_refresh=False, transient=True, redirect_stdout=sys.stdout.isatty())


class Count(Line):
    """A line about a number that grows, with its rate, and what is left at that rate where the total is known.

    Any thread may count.
    """

    def __init__(self, progress: Progress, name: str, total: float | None, unit: str) -> None:
        super().__init__(progress, self.describe)
        self.name, self.total, self.unit = name, total, unit
        self.done = 0.0
        self._before: float | None = None  # what was there before this run: it says nothing of its rate
        self._lock = threading.Lock()

    def advance(self, number: float = 1) -> None:
        """So much more is done."""
        with self._lock:
            self.done += number

    def reach(self, done: float, total: float | None) -> None:
        """So much is done, and the total is that. What is done at the first call was there before."""
        with self._lock:
            if self._before is None:
                self._before = done
            self.done, self.total = done, total

    def describe(self) -> str:
        """What the line says now."""
        seconds = self.seconds
        rate = (self.done - (self._before or 0)) / seconds if seconds > 0 else 0.0
        return described(
            self.name, amount(self.done, self.total, self.unit), rate, self._left(rate), self.unit, seconds
        )

    def _left(self, rate: float) -> float | None:
        return (self.total - self.done) / rate if self.total is not None and rate > 0 else None


SILENT = Progress(None)
"""Says nothing: for who calls a function and is no command."""


def add_quiet(parser: Any) -> None:
    """The option `--quiet`, of which `progress_of` makes a `Progress`."""
    parser.add_argument("--quiet", action="store_true", help="say nothing but results and errors")


def progress_of(arguments: argparse.Namespace) -> Progress:
    """On stderr, or silent where `--quiet` was given.

    Where no line can be kept in place, the bars of Hugging Face's libraries are switched off too, if these are not yet
    imported: they would write into a file what only a terminal can show.
    """
    progress = SILENT if arguments.quiet else Progress(sys.stderr)
    if not progress.in_place:
        for library in ("DATASETS", "HUB"):
            os.environ.setdefault(f"HF_{library}_DISABLE_PROGRESS_BARS", "1")
    return progress


def described(name: str, amounts: str, rate: float, left: float | None, unit: str, seconds: float) -> str:
    """One line: `amounts` of work, the rate in `unit` a second, seconds left if that is known, seconds until now."""
    parts = [amounts] if amounts else []
    if rate > 0:
        parts.append(_rate(rate, unit))
    if left is not None:
        parts.append(f"{duration(left)} left")
    return f"{name}: {', '.join([*parts, f'{duration(seconds)} so far'])}"


def amount(done: float, total: float | None, unit: str) -> str:
    """`1,204 of 4,100 MB`; nothing where nothing is counted."""
    if not unit:
        return ""
    divisor, shown = (1e6, "MB") if unit == BYTES else (1, unit)
    return f"{done / divisor:,.0f}{'' if total is None else f' of {total / divisor:,.0f}'} {shown}"


def duration(seconds: float) -> str:
    """Hours, minutes, seconds: 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _rate(rate: float, unit: str) -> str:
    if unit == BYTES:
        return f"{rate / 1e6:,.1f} MB/s"
    return f"{rate:,.1f} {unit}/s" if rate >= 1 else f"{60 * rate:,.1f} {unit}/min"
