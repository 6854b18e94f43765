"""Progress on a terminal, in a file and with --quiet: a pseudo-terminal, a pipe, and a clock that stands still."""

import argparse
import io
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

import pytest

from preprocessing import progress as module
from preprocessing.progress import BYTES, SILENT, Progress, progress_of

WIDTH = 40
PATIENCE = 60.0


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Terminal:
    """The two ends of a pseudo-terminal: `stream` is the command's, and what is written there is read here."""

    def __init__(self) -> None:
        self.ours, theirs = os.openpty()
        self.stream: IO[str] = os.fdopen(theirs, "w", encoding="utf-8")
        self.written = ""

    def read_until(self, is_enough: Callable[[str], bool]) -> str:
        """All that was written, as soon as it is enough."""
        deadline = time.monotonic() + PATIENCE
        while not is_enough(self.written) and time.monotonic() < deadline:
            if select.select([self.ours], [], [], 0.05)[0]:
                self.written += os.read(self.ours, 4096).decode()
        assert is_enough(self.written), self.written
        return self.written

    def close(self) -> None:
        self.stream.close()
        os.close(self.ours)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "TERMINAL_SECONDS", 0.01)
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made.stream)
    yield made
    made.close()


def screen(written: str) -> list[str]:
    """What stands on a terminal after that was written, without empty lines."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\??\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\x1b[1A":
            row -= 1
        elif part[0] != "\x1b":
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


def test_a_line_on_a_terminal_stays_in_place_and_is_gone_at_the_end(terminal: Terminal, clock: Clock) -> None:
    with Progress(terminal.stream, clock).count("verify", 4000, "shards") as count:
        clock.now += 10
        count.advance(1000)
        shown = terminal.read_until(lambda written: "1,000" in written)
        assert screen(shown) == ["verify: 1,000 of 4,000 shards, 100.0 sh…"]  # as long as the terminal is wide
        count.advance(1000)
        shown = terminal.read_until(lambda written: "2,000" in written)
        assert screen(shown) == ["verify: 2,000 of 4,000 shards, 200.0 sh…"]
    print("a result", file=terminal.stream, flush=True)
    shown = terminal.read_until(lambda written: "a result" in written)
    assert screen(shown) == ["a result"]
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0  # the cursor is to be seen


def test_the_cursor_is_to_be_seen_all_the_time(terminal: Terminal, clock: Clock) -> None:
    """A command that is killed cannot bring it back."""
    with Progress(terminal.stream, clock).count("verify", 4000, "shards"):
        shown = terminal.read_until(lambda written: "verify" in written)
        assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0


def test_what_is_said_meanwhile_comes_above_the_line_and_is_not_cut(terminal: Terminal, clock: Clock) -> None:
    progress = Progress(terminal.stream, clock)
    with progress.count("verify", 4, "shards"):
        terminal.read_until(lambda written: "verify" in written)
        progress.remark("a remark that is longer than the terminal is wide")
        print("an error", file=sys.stderr, flush=True)
        shown = terminal.read_until(lambda written: "verify" in written.partition("an error")[2])
        assert screen(shown) == [
            "a remark that is longer than the terminal is wide",
            "an error",
            "verify: 0 of 4 shards, 0:00:00 so far",
        ]


def test_a_terminal_that_cannot_rewrite_a_line_gets_complete_ones(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with Progress(terminal.stream, clock).count("verify", 4, "shards"):
        clock.now += 61
    assert terminal.read_until(lambda written: "\n" in written) == "verify: 0 of 4 shards, 0:01:01 so far\r\n"


def test_elsewhere_a_minute_goes_by_before_the_first_line(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # colour is wanted; a file is no terminal for all that
    said = io.StringIO()
    with Progress(said, clock).count("verify", 4, "shards") as count:
        count.advance()
        clock.now += 60
    assert said.getvalue() == ""


def test_elsewhere_what_took_longer_is_said_at_the_end(clock: Clock) -> None:
    said = io.StringIO()
    with Progress(said, clock).count("hash inputs", 4e9, BYTES) as count:
        count.advance(3e9)
        clock.now += 100
    assert said.getvalue() == "hash inputs: 3,000 of 4,000 MB, 30.0 MB/s, 0:00:33 left, 0:01:40 so far\n"


def waited_for(said: io.StringIO, lines: int) -> list[str]:
    deadline = time.monotonic() + PATIENCE
    while said.getvalue().count("\n") < lines and time.monotonic() < deadline:
        time.sleep(0.005)
    return said.getvalue().splitlines()


def test_a_minute_is_one_of_the_command_and_not_of_its_step(clock: Clock) -> None:
    said = io.StringIO()
    progress = Progress(said, clock)
    with progress.count("first", 4, "files"):
        clock.now += 40
    assert said.getvalue() == ""
    clock.now += 25
    with progress.count("second", 4, "files"):
        assert waited_for(said, 1) == ["second: 0 of 4 files, 0:00:00 so far"]
        clock.now += 30
    assert len(said.getvalue().splitlines()) == 1


def test_lines_go_on_while_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.02)
    said = io.StringIO()
    with Progress(said).count("train WordPiece"):
        assert set(waited_for(said, 3)) == {"train WordPiece: 0:00:00 so far"}


BARS = ("HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_PROGRESS_BARS")


def bars_are_off(monkeypatch: pytest.MonkeyPatch, stream: IO[str], *, quiet: bool) -> list[bool]:
    for name in BARS:
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "stderr", stream)
    progress = progress_of(argparse.Namespace(quiet=quiet))
    assert progress.stream is (None if quiet else stream)
    return [os.environ.get(name) == "1" for name in BARS]


def test_bars_of_others_are_for_terminals(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bars_are_off(monkeypatch, terminal.stream, quiet=False) == [False, False]
    assert bars_are_off(monkeypatch, terminal.stream, quiet=True) == [True, True]
    assert bars_are_off(monkeypatch, io.StringIO(), quiet=False) == [True, True]


def test_who_is_silent_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (SILENT, Progress(None, clock)):
        with progress.count("verify", 4, "shards") as count:
            clock.now += 1000
            count.advance()
        progress.remark("a remark")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("done", "total", "unit", "line"),
    [
        (0, 1e9, BYTES, "0 of 1,000 MB, 0:01:40 so far"),
        (5e8, 1e9, BYTES, "500 of 1,000 MB, 5.0 MB/s, 0:01:40 left, 0:01:40 so far"),
        (5e8, None, BYTES, "500 MB, 5.0 MB/s, 0:01:40 so far"),
        (4000, 5000, "rows", "4,000 of 5,000 rows, 40.0 rows/s, 0:00:25 left, 0:01:40 so far"),
        (2, 200, "buckets", "2 of 200 buckets, 1.2 buckets/min, 2:45:00 left, 0:01:40 so far"),
        (5, 5, "files", "5 of 5 files, 3.0 files/min, 0:00:00 left, 0:01:40 so far"),
        (0, None, "", "0:01:40 so far"),
    ],
)
def test_what_a_line_says(clock: Clock, done: float, total: float | None, unit: str, line: str) -> None:
    with Progress(None, clock).count("a step", total, unit) as count:
        clock.now += 100
        count.advance(done)
        assert count.describe() == f"a step: {line}"


def test_what_was_there_before_says_nothing_of_the_speed(clock: Clock) -> None:
    with Progress(None, clock).count("2/3 a.bz2", unit=BYTES) as count:
        count.reach(9e8, 1e9)
        assert count.describe() == "2/3 a.bz2: 900 of 1,000 MB, 0:00:00 so far"
        clock.now += 10
        count.reach(9.2e8, 1e9)
        assert count.describe() == "2/3 a.bz2: 920 of 1,000 MB, 2.0 MB/s, 0:00:40 left, 0:00:10 so far"


def test_an_item_is_done_when_the_next_is_asked_for(clock: Clock) -> None:
    said = io.StringIO()
    for item in Progress(said, clock).over("abc", "add up splits", 3, "splits"):
        if item == "c":
            clock.now += 120
    assert said.getvalue() == "add up splits: 3 of 3 splits, 1.5 splits/min, 0:00:00 left, 0:02:00 so far\n"


def test_who_reads_no_more_ends_no_work(clock: Clock) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    with Progress(stream, clock).count("verify", 4, "shards") as count:
        clock.now += 61
        count.advance(4)
    assert count.done == 4
    with pytest.raises(BrokenPipeError):  # the stream is as broken as it should be
        stream.close()


def test_threads_count_together() -> None:
    with Progress(None).count("hash inputs", 80_000, "blocks") as count:

        def advance() -> None:
            for _ in range(10_000):
                count.advance()

        threads = [threading.Thread(target=advance) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert count.done == 80_000


def test_no_thread_is_left_when_a_step_fails(clock: Clock) -> None:
    before = threading.active_count()

    def fail() -> None:
        with Progress(io.StringIO(), clock).count("verify", 4, "shards"):
            assert threading.active_count() == before + 1
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert threading.active_count() == before
