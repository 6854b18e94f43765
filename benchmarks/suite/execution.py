"""One run of a benchmark: a process of its own, its time and memory, and what it printed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

_LAST_WORDS = 400


@dataclass(frozen=True)
class Round:
    """What one run took: wall seconds, CPU seconds of all its processes, peak bytes of its largest; what it found."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    figures: Any
    """The JSON object of its last line, or None where it prints text."""
    text: str
    failure: str | None = None
    """Why it gave no figures, in a line."""


def one_thread(threads: int) -> dict[str, str]:
    """The environment in which both sides of every comparison have as many threads, and nobody asks a hub."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
    return {name: str(threads) for name in names} | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def execute(words: Sequence[str], environment: Mapping[str, str], limit_seconds: float) -> Round:
    """Runs `python WORDS` once. It is ended, with all that it started, after `limit_seconds`."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        begin = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *words],
            stdout=out,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        late = False
        try:
            while True:
                # wait4 and not wait: it tells what the process and all that it waited for have used.
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                if not late and time.monotonic() - begin > limit_seconds:
                    late = True
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.05)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            os.wait4(process.pid, 0)
            raise
        finally:
            process.returncode = 0  # it is waited for, which `subprocess` does not know
        seconds = time.monotonic() - begin
        code = os.waitstatus_to_exitcode(status)
        text, errors = _content(out), _content(said)
    failure = f"not done after {limit_seconds:.0f} s" if late else _failure(code, errors) if code else None
    figures = None if failure else _figures(text)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Round(seconds, usage.ru_utime + usage.ru_stime, peak, figures, text, failure)


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _failure(code: int, errors: str) -> str:
    lines = errors.strip().splitlines() or ["it said nothing"]
    return f"exit code {code}: {lines[-1][:_LAST_WORDS]}"


def _figures(text: str) -> Any:
    lines = text.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
