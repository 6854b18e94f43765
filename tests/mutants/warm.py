"""A process that has imported everything heavy and runs tests in forks of itself: `python warm.py`, fed by lines.

Started by `asking.py` in the copy of the repository. A line on stdin is a JSON object: `files` (test files), `first`
(tests to run before the others, in this order), `left_out` (tests not to run), `interpreted` (whether compiled loops
run as plain Python), `seconds` (the time limit), `scratch` (a folder for pytest), `writes` (whether Python may keep
compiled files), `imports` (modules to import for good, before this fork and all later ones). Each is answered by one
line: `code` (pytest's exit code; negative where the fork was ended by something else; null for a time that ran out),
`failed` (the first test that failed), `seconds`, and where `writes` also `imported`, `tests` (the processor's seconds
of each) and `all_failed`.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MOST_MEMORY = 6 << 30
"""Bytes of address space that a fork may add to what this process has."""
SELECTED = "not slow and not large and not gpu"


class Watch:
    """A plugin of pytest: puts some tests first, leaves some out, remembers which one failed and how long each took.

    `leave` is called with the name of a test as soon as it fails, before pytest has drawn its traceback.
    """

    def __init__(self, first: list[str], left_out: list[str], leave: Callable[[str], None] | None) -> None:
        self.leave = leave
        self.first = {name: place for place, name in enumerate(first)}
        self.left_out = set(left_out)
        self.looked = time.process_time()
        self.failed = ""
        self.all_failed: list[str] = []
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid not in self.left_out]
        items.sort(key=lambda item: self.first.get(item.nodeid, len(self.first)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        if self.leave is None or call.excinfo is None or item.get_closest_marker("xfail"):
            return
        if not isinstance(call.excinfo.value, pytest.skip.Exception | pytest.xfail.Exception):
            self.leave(item.nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        before, self.looked = self.looked, time.process_time()
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + self.looked - before
        if report.failed:
            self.all_failed.append(report.nodeid)
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run_here(asked: dict[str, Any], leave: Callable[[str], None]) -> dict[str, Any]:
    """Runs the tests in this process; for a mutant `leave` may end it before pytest does."""
    sys.dont_write_bytecode = not asked["writes"]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "" if asked["writes"] else "1"
    if asked["interpreted"]:
        import numba

        numba.config.DISABLE_JIT = 1  # type: ignore[attr-defined]
        os.environ["NUMBA_DISABLE_JIT"] = "1"
    watch = Watch(asked["first"], asked["left_out"], None if asked["writes"] else leave)
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "--hypothesis-seed=0"]
    words += ["-m", SELECTED, f"--basetemp={asked['scratch']}", *asked["files"]]
    words += [] if asked["writes"] else ["-x"]
    code = int(pytest.main(words, plugins=[watch]))
    answer: dict[str, Any] = {"code": code, "failed": watch.failed}
    if asked["writes"]:
        here = str(Path.cwd())
        ours = ("tests", "conftest", "__main__")
        answer["tests"], answer["all_failed"] = watch.seconds, watch.all_failed
        answer["imported"] = [
            name
            for name, module in sys.modules.items()
            if getattr(module, "__file__", None) and not module.__file__.startswith(here)  # type: ignore[union-attr]
            if name.split(".")[0] not in ours and not name.startswith("test_")
        ]
    return answer


def answer_of(asked: dict[str, Any]) -> dict[str, Any]:
    """Runs the tests in a fork and waits for it, no longer than is allowed; whatever it started ends with it."""
    start = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(reading)
        with open(os.environ["MUTANT_LOG"], "wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_MEMORY, taken + MOST_MEMORY))

        def say(answer: dict[str, Any]) -> None:
            with open(writing, "w") as pipe:
                json.dump(answer, pipe)
            os._exit(0)

        with contextlib.suppress(BaseException):  # an exit that a mutant asks for must not reach the loop below
            say(run_here(asked, lambda name: say({"code": 1, "failed": name})))
        say({"code": 1, "failed": ""})
    os.close(writing)
    deadline, told = start + asked["seconds"], b""
    try:
        with open(reading, "rb", buffering=0) as pipe:
            while (left := deadline - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
                if not (part := pipe.read(1 << 16)):
                    break
                told += part
        in_time = time.monotonic() < deadline
    finally:  # also where this process is told to end
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(asked["scratch"], ignore_errors=True)
    # A fork that ends without a word was ended by what it ran, whatever code it left.
    answer = {"code": (os.waitstatus_to_exitcode(status) or -1) if in_time else None, "failed": ""}
    with contextlib.suppress(ValueError):
        answer = json.loads(told)
    return answer | {"seconds": time.monotonic() - start}


def main() -> None:
    """Answers lines until stdin ends, or SIGTERM comes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for line in sys.stdin:
        asked = json.loads(line)
        for name in asked["imports"]:
            with contextlib.suppress(Exception):  # a module that only works where the test imports it
                importlib.import_module(name)
        if asked["imports"]:
            gc.collect()
            gc.freeze()  # pytest collects at its end, through all that is imported: half of what a fork took
        print(json.dumps(answer_of(asked)), flush=True)


if __name__ == "__main__":
    main()
