"""One writer per remote folder, as well as that can be had: a storage service has no locks.

A marker object in the folder says who writes there, and its holder renews it. Another writer that finds a renewed
marker waits, and then refuses; one that finds a marker that was not renewed takes the folder over. Of two that begin in
the same moment the one whose marker is read back holds the folder. Should two builds write at the same time after
all, they write the same bytes under the same names: a build of anything else is refused by what the folder says of
itself.
"""

import json
import os
import socket
import sys
import threading
import time
import uuid
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from preprocessing.errors import PreprocessingError
from preprocessing.storage.file_systems import put_bytes, scheme_of
from preprocessing.storage.remote_path import RemotePath

RENEW_SECONDS = 15.0
STALE_SECONDS = 60.0  # without a renewal, after which a holder is taken for dead
WAIT_SECONDS = STALE_SECONDS + RENEW_SECONDS  # so that a dead holder is never in the way
LOOK_SECONDS = 2.0
SETTLE_SECONDS = 1.0  # between a marker's writing and its reading back: longer than from a look to the writing


class RemoteLock:
    """Holds a folder by the object `name` in it; a context manager, which raises `error` when another holds it.

    `remedy` ends the sentence: how to choose another folder.
    """

    def __init__(
        self,
        folder: RemotePath,
        name: str,
        remedy: str,
        *,
        error: type[Exception] = PreprocessingError,
        wait: float | None = None,
    ) -> None:
        self.path = folder / name
        self._remedy = remedy
        self._error = error
        self._wait = WAIT_SECONDS if wait is None else wait
        self._mark = ""
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        deadline, announced = time.monotonic() + self._wait, False
        seen: tuple[str, float] = ("", 0.0)
        self._mark = uuid.uuid4().hex
        while True:
            found = self._read()
            if not found and scheme_of(str(self.path)).has_folders:
                # There a marker is removed before the renewed one has its name: see `put_bytes`.
                time.sleep(SETTLE_SECONDS)
                found = self._read()
            if found.get("mark") == self._mark:
                break
            if found.get("renewal", "") != seen[0]:
                seen = (str(found.get("renewal", "")), time.monotonic())
            # What is not renewed while this process looks on, by its own clock, belongs to nobody.
            if not found or _has_ended(found) or time.monotonic() - seen[1] > STALE_SECONDS:
                self._write()
                time.sleep(SETTLE_SECONDS)
                continue
            if time.monotonic() > deadline:
                raise self._error(
                    f"{self.path.parent} is in use by {_named(found)}; wait until it has ended, stop it, or "
                    f"{self._remedy}; if it is dead, remove {self.path}."
                )
            if not announced:
                print(
                    f"{self.path.parent} is in use by {_named(found)}: waiting for it to end, or for "
                    f"{STALE_SECONDS:.0f} s without a sign of it",
                    file=sys.stderr,
                    flush=True,
                )
                announced = True
            time.sleep(LOOK_SECONDS)
        self._thread = threading.Thread(target=self._renew, name="renewal", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(OSError, PreprocessingError):  # left behind, it is stale in a minute
            if self._read().get("mark") == self._mark:
                self.path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            with suppress(OSError, PreprocessingError):  # the service may answer again the next time
                if self._read().get("mark", self._mark) != self._mark:
                    return  # somebody took this process for dead
                self._write()

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
        except ValueError:
            return {"renewal": "damaged"}

    def _write(self) -> None:
        import psutil

        process = psutil.Process()
        holder = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "process_started": process.create_time(),
            "started": time.strftime("%Y-%m-%d %H:%M:%S"),
            "mark": self._mark,
            "renewal": uuid.uuid4().hex,
        }
        put_bytes(json.dumps(holder).encode(), str(self.path))


def _has_ended(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that is gone."""
    if holder.get("host") != socket.gethostname() or "process" not in holder:
        return False
    import psutil

    try:
        return psutil.Process(int(holder["process"])).create_time() != holder.get("process_started")
    except psutil.NoSuchProcess:
        return True


def _named(holder: dict[str, Any]) -> str:
    if "process" not in holder:
        return "another process"
    return f"process {holder['process']} on {holder['host']}, since {holder['started']}"
