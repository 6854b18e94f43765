"""A thread on every rank that ends the run on all of them when one is lost, stuck or in trouble.

Collectives wait for a lost rank for minutes, some for ever, so nobody relies on them. Every rank says in the process
group's store that it lives, and watches the next one; whoever finds trouble writes a verdict there, which all ranks
read within a second. The main thread may be stuck anywhere meanwhile.
"""

import faulthandler
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import torch.distributed as dist

from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError, RetryablePretrainingError, memory_shortage, not_written
from pretraining.run.health.stop import INTERRUPTED
from pretraining.run.ranks import RankEnvironment

_TICK = 0.5  # seconds between looks
_GRACE = 3.0  # for the main thread to end by itself, once there is a verdict
_PATIENCE = 6  # a save or an export may take so many times longer than a step
_VERDICT = "verdict"
_starts = 0  # of runs in this process: each has keys of its own in the store


@dataclass(frozen=True)
class Verdict:
    """Why the run ends on all ranks."""

    code: int
    reason: str
    rank: int  # that found it
    is_stuck: bool = False  # where everybody hangs is worth knowing

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do."""
        return f"{self.reason}; start the same command again" if self.code == INTERRUPTED else self.reason


class Monitor:
    """Watches this rank and the next; a context manager around everything that ranks do together.

    `conclude` writes down why the run ends (``state.json``); one rank calls it.
    """

    def __init__(
        self,
        environment: RankEnvironment,
        watchdog_seconds: float,
        lost_after_seconds: float,
        conclude: Callable[[Verdict], None],
    ) -> None:
        global _starts
        self._rank, self._ranks = environment.rank, environment.world_size
        self._address = environment.master_address, environment.master_port
        self._watchdog, self._lost_after = watchdog_seconds, lost_after_seconds
        self._conclude = conclude
        self._store: Any = None
        self._store_is_lost = False
        self._heard: Verdict | None = None
        self._prefix = f"run{_starts}/"
        _starts += 1
        self._ending = threading.Lock()
        self._closing = threading.Event()
        self._phase, self._allowed, self._since = "starting", watchdog_seconds * _PATIENCE, time.monotonic()

    def __enter__(self) -> Self:
        if self._ranks > 1:
            # A client of its own: the process group's is taken while the main thread waits in it.
            host, port = self._address
            patience = timedelta(seconds=max(10.0, self._lost_after / 2))
            store = dist.TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=patience)
            self._store = dist.PrefixStore(self._prefix, store)
            self._store.set(f"host/{self._rank}", socket.gethostname())
            self._store.set(f"alive/{self._rank}", "0")
            dist.barrier()
            self._hosts = tuple(self._host_of(rank) for rank in (0, (self._rank + 1) % self._ranks))
        self._answered = self._next_lived = time.monotonic()
        self._threads = [threading.Thread(target=self._watch, name="health", daemon=True)]
        if self._store is not None:
            self._threads.append(threading.Thread(target=self._speak, name="signs of life", daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if failure is not None:
            return  # others still look for signs of life of this rank while it finds out why: `judge` ends that
        self._closing.set()  # from here on others may be gone, and that is no trouble
        for thread in self._threads:
            thread.join(timeout=_GRACE)
        if self._ranks > 1:
            dist.barrier()  # the store lives on rank 0: nobody leaves before all have stopped looking

    def progress(self, phase: str, *, may_take_long: bool = False) -> None:
        """The main thread says what it begins now; it must say so again within the watchdog's time."""
        self._allowed = self._watchdog * (_PATIENCE if may_take_long else 1)
        self._phase, self._since = phase, time.monotonic()

    def judge(self, failure: BaseException) -> PretrainingError | None:
        """What an error of the main thread means for all ranks, told to them; None for one that nobody expected.

        A lost connection is somebody else's trouble: their verdict is waited for.
        """
        with self._ending:
            known = self._heard
            if known is None and _is_lost_connection(failure):
                known = self._await_verdict() or Verdict(INTERRUPTED, self._lost_sentence(), self._rank)
            elif known is None:
                known = self._own_verdict(failure)
            known = self._publish(known)
            if known.is_stuck:
                self._show_where(known, failure)
            self._write_down(known)
            self._let_others_hear()
            self._closing.set()
        if known.rank == self._rank and not isinstance(failure, PretrainingError) and known.code == 1:
            return None
        error = (RetryablePretrainingError if known.code == INTERRUPTED else PretrainingError)(known.sentence)
        error.exit_code = known.code
        return error

    def _own_verdict(self, failure: BaseException) -> Verdict:
        failure = memory_shortage(failure) or failure
        if isinstance(failure, PreprocessingError | OSError):
            failure = not_written(failure)
        if isinstance(failure, PretrainingError):
            return Verdict(failure.exit_code, str(failure), self._rank)
        return Verdict(1, f"rank {self._rank} failed: {type(failure).__name__}: {failure}", self._rank)

    def _speak(self) -> None:
        """Says that this rank lives, hears of the next one and of verdicts. The store may hang, and this with it."""
        beats, seen = 0, ""
        following = f"alive/{(self._rank + 1) % self._ranks}"
        while not self._closing.wait(_TICK):
            try:
                beats += 1
                self._store.set(f"alive/{self._rank}", str(beats))
                beat = self._store.get(following).decode()
                if beat != seen:
                    seen, self._next_lived = beat, time.monotonic()
                self._heard = self._read_verdict()
                if self._heard is not None:
                    self._store.set(f"heard/{self._rank}", "")
            except RuntimeError:
                self._store_is_lost = True
                return
            self._answered = time.monotonic()

    def _watch(self) -> None:
        """Looks at the clock; waits for nothing."""
        while not self._closing.wait(_TICK):
            now = time.monotonic()
            if now - self._since > self._allowed:
                reason = f"no step for {now - self._since:.0f} seconds (rank {self._rank} was at: {self._phase})"
                self._end(Verdict(INTERRUPTED, reason, self._rank, is_stuck=True))
            if self._store is None:
                continue
            if now - self._answered > self._lost_after:
                self._store_is_lost = True
            if self._store_is_lost:
                reason = f"rank 0 on {self._hosts[0]} is lost: it does not answer"
                self._end(Verdict(INTERRUPTED, reason, self._rank, is_stuck=True))
            elif now - self._next_lived > self._lost_after:
                lost = (self._rank + 1) % self._ranks
                reason = f"rank {lost} on {self._hosts[1]} gave no sign of life for {self._lost_after:.0f} seconds"
                self._end(Verdict(INTERRUPTED, reason, self._rank, is_stuck=True))
            elif self._heard is not None:
                self._closing.wait(_GRACE)  # most errors are found by all ranks
                self._end(self._heard)

    def _end(self, verdict: Verdict) -> None:
        """Ends this process, whatever the main thread is doing; does nothing when that is ending by itself."""
        if self._closing.is_set():
            return
        with self._ending:
            if self._closing.is_set():
                return
            verdict = self._publish(verdict)
            if verdict.is_stuck:
                self._show_where(verdict)
            if self._write_down(verdict):
                print(f"error: {verdict.sentence}", file=sys.stderr, flush=True)
            sys.stdout.flush()
            self._let_others_hear()
            os._exit(verdict.code)

    def _show_where(self, verdict: Verdict, failure: BaseException | None = None) -> None:
        """What this rank was doing when nothing went on; `failure` is what has ended its main thread, if it ended."""
        print(f"rank {self._rank}: {verdict.reason}; every thread of it:", file=sys.stderr, flush=True)
        if failure is not None:
            traceback.print_exception(failure, file=sys.stderr)
        faulthandler.dump_traceback(sys.stderr, all_threads=True)

    def _write_down(self, verdict: Verdict) -> bool:
        """True on the rank that wrote the verdict down: rank 0, or the next one where that is lost."""
        writer = 1 if self._store_is_lost and self._ranks > 1 else 0
        if self._rank != writer:
            return False
        self._conclude(verdict)
        return True

    def _publish(self, verdict: Verdict) -> Verdict:
        """Writes a verdict for all, unless there is one; returns the one that holds."""
        held = self._asked(lambda: self._store.compare_set(_VERDICT, "", json.dumps(asdict(verdict))))
        return verdict if held is None else Verdict(**json.loads(held))

    def _let_others_hear(self) -> None:
        """The store ends with rank 0, which therefore stays until everybody that lives has read the verdict there."""

        def wait() -> None:
            self._store.set(f"heard/{self._rank}", "")
            others, deadline = [f"heard/{rank}" for rank in range(1, self._ranks)], time.monotonic() + _GRACE
            while self._rank == 0 and time.monotonic() < deadline and not self._store.check(others):
                time.sleep(_TICK / 5)

        self._asked(wait)

    def _asked(self, question: Callable[[], Any]) -> Any:
        """The store's answer; None where there is no store, or it does not answer: one whose host is frozen hangs."""
        answers: list[Any] = []

        def ask() -> None:
            with suppress(RuntimeError):
                answers.append(question())

        if self._store is None or self._store_is_lost:
            return None
        thread = threading.Thread(target=ask, name="question", daemon=True)
        thread.start()
        thread.join(2 * _GRACE)
        if not answers:
            self._store_is_lost = True
            return None
        return answers[0]

    def _read_verdict(self) -> Verdict | None:
        found = self._store is not None and self._store.check([_VERDICT])
        return Verdict(**json.loads(self._store.get(_VERDICT))) if found else None

    def _await_verdict(self) -> Verdict | None:
        deadline = time.monotonic() + _GRACE
        while self._heard is None and not self._store_is_lost and time.monotonic() < deadline:
            time.sleep(_TICK / 5)
        return self._heard

    def _lost_sentence(self) -> str:
        """Which ranks are lost: those whose sign of life stands still."""

        def beats() -> list[bytes]:
            return [self._store.get(f"alive/{rank}") for rank in range(self._ranks)]

        before = self._asked(beats)
        time.sleep(3 * _TICK)
        after = self._asked(beats)
        if before is None or after is None:
            return f"rank 0 on {self._hosts[0]} ended without a word"
        lost = [rank for rank in range(self._ranks) if before[rank] == after[rank] and rank != self._rank]
        if not lost:
            return "the connection to another rank broke"
        hosts = ", ".join(sorted(self._asked(lambda: {self._host_of(rank) for rank in lost}) or ("a node",)))
        return f"rank {', '.join(map(str, lost[:8]))}{', …' if len(lost) > 8 else ''} on {hosts} ended without a word"

    def _host_of(self, rank: int) -> str:
        return str(self._store.get(f"host/{rank}").decode())


def _is_lost_connection(failure: BaseException) -> bool:
    """True for what torch raises when another rank is gone. gloo has no class of its own for it."""
    if isinstance(failure, dist.DistError):
        return True
    text = str(failure)
    return isinstance(failure, RuntimeError) and any(
        word in text for word in ("gloo", "NCCL", "Connection", "Timed out")
    )
