"""One writer per folder: a second one is refused while the first lives, on whichever host.

A file in the folder is locked (`flock`, which ends with the process, however it ends) and says who holds it. Where the
file system keeps such locks to one host, the time of the file tells: its holder touches it every second.
"""

import fcntl
import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from preprocessing.atomic_file import writing_failed
from preprocessing.errors import PreprocessingError

WAIT_SECONDS = 30.0  # for a writer that is about to end
TOUCH_SECONDS = 1.0
STALE_SECONDS = 60.0  # after which a holder on another host that has not touched its lock is taken for dead
SILENT_SECONDS = 10.0  # after which it may well be dead: then it is waited for until it is stale


class FolderLock:
    """Holds a folder by the file `name` in it; a context manager, which raises `error` when another holds it.

    `remedy` ends the sentence: how to choose another folder. With `for_children` the lock lasts as long as any process
    that was started meanwhile with this one's files (`close_fds=False`), where this one is killed.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        remedy: str,
        *,
        error: type[Exception] = PreprocessingError,
        wait: float | None = None,
        for_children: bool = False,
    ) -> None:
        self.path = folder / name
        self._remedy = remedy
        self._error = error
        self._wait = WAIT_SECONDS if wait is None else wait
        self._for_children = for_children
        self._file: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.set_inheritable(self._file, self._for_children)
        except OSError as error:
            raise self._error(str(writing_failed(self.path, error))) from error
        deadline, announced = time.monotonic() + self._wait, False
        while (holder := self._holder()) is not None:
            # A job that goes on on another host finds the lock of the one that it was killed on: silent, not yet stale.
            if time.monotonic() > deadline and not SILENT_SECONDS < self._age() < STALE_SECONDS:
                os.close(self._file)
                self._file = None
                raise self._error(
                    f"{self.path.parent} is in use by {holder}; wait until it has ended, stop it, or {self._remedy}"
                )
            if not announced:
                print(f"{self.path.parent} is in use by {holder}: waiting for it to end", file=sys.stderr, flush=True)
                announced = True
            time.sleep(0.2)
        self._write(
            {"host": socket.gethostname(), "process": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
        )
        self._ended = threading.Event()
        threading.Thread(target=self._touch_until, args=(self._ended,), name="lock", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._ended.set()
            os.ftruncate(self._file, 0)  # nobody holds it; the file stays, as removing it could remove another's
            os.close(self._file)
            self._file = None

    def _touch_until(self, ended: threading.Event) -> None:
        while not ended.wait(TOUCH_SECONDS):
            self.touch()

    def touch(self) -> None:
        """Says that the holder lives. Another thread's: the folder may be given back meanwhile, or the disk fail."""
        if self._file is not None:
            with suppress(OSError):
                os.utime(self.path)

    def _holder(self) -> str | None:
        """Who holds the folder, in words; None when this process does now."""
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._named(self._read())
        except OSError:
            pass  # a file system without locks: what is written in the file must do
        found = self._read()
        if found and found.get("host") != socket.gethostname() and self._age() < STALE_SECONDS:
            return self._named(found)
        return None

    def _age(self) -> float:
        """Seconds since the holder touched the file, both by the file system's clock."""
        assert self._file is not None
        probe = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        return now - os.fstat(self._file).st_mtime

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _write(self, contents: dict[str, Any]) -> None:
        assert self._file is not None
        data = json.dumps(contents).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, data, 0)
        os.fsync(self._file)

    @staticmethod
    def _named(holder: dict[str, Any]) -> str:
        if not holder:
            return "another process"
        return f"process {holder['process']} on {holder['host']}, since {holder['started']}"
