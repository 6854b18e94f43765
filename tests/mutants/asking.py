"""Asks tests about mutants: owns the copy of the repository and the warm process that stands in it."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.shadow import Shadow, is_compiled

MOST_SECONDS = 1.0
"""Of the processor, that a single test may take: a longer one is asked about no mutant."""
LEAST_SECONDS, TIMES = 20.0, 5.0
"""A mutant may take so many times what the tests take on the original by the clock, and never less than the least."""


class FailingTestsError(Exception):
    """The tests fail without any mutant, or there are none: what they say of mutants would mean nothing."""


@dataclass(frozen=True)
class Outcome:
    """What the tests said of one mutant."""

    killed: bool
    by: str
    """The test that failed, `time limit`, or `crash`; empty for a survivor."""
    seconds: float


class Asking:
    """`with Asking(repository, folder) as asking:` `folder` is removed by the caller."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.shadow = Shadow(repository, folder)
        self._log = folder / "pytest.log"
        self._killers: dict[str, Counter[str]] = {}
        self._limits: dict[str, float] = {}
        self._fastest: dict[str, list[str]] = {}
        self._left_out: dict[str, list[str]] = {}
        self._interpreted: dict[str, bool] = {}
        variables = {"PYTHONPATH": str(self.shadow.root), "MUTANT_LOG": str(self._log), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm.py"))],
            cwd=self.shadow.root,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Asking":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # and with it the fork that it may be waiting for
        self._process.wait()

    def about_the_original(self, module: str, tests: tuple[str, ...]) -> float:
        """Seconds that the tests take without a mutant, once what they import is warm; raises `FailingTestsError`.

        Tests that take long are left out from then on. Loops that numba compiles run as plain Python, for tests that
        pass so: no mutant waits for the compiler, and an index past the end is an error instead of a wrong number.
        """
        self._killers[module], self._fastest[module], self._left_out[module] = Counter(), [], []
        self.shadow.restore(module)
        self._interpreted[module] = is_compiled((self.shadow.root / module).read_text(encoding="utf-8"))
        first = self._ask(tests, module, 600.0, writes=True)
        if self._interpreted[module] and first["code"] == 1 and len(first["all_failed"]) < len(first["tests"]):
            self._left_out[module] = first["all_failed"]
            first = self._ask(tests, module, 600.0, writes=True)
        if self._interpreted[module] and first["code"] != 0:
            self._interpreted[module], self._left_out[module] = False, []
            first = self._ask(tests, module, 600.0, writes=True)
        if first["code"] != 0:
            said = self._log.read_text(errors="replace").strip().splitlines()[-15:]
            raise FailingTestsError(f"{' '.join(tests) or 'no tests'} fail without a mutant:\n" + "\n".join(said))
        self.shadow.restore(module)  # machine code is made anew for every mutant, and so for the limit
        again = self._ask(tests, module, 600.0, writes=True, imports=first["imported"])
        if again["code"] != 0:
            raise FailingTestsError(f"{' '.join(tests)} pass once, and then fail: {again['failed']}")
        self._fastest[module] = sorted(again["tests"], key=lambda name: again["tests"][name])
        self._left_out[module] += [name for name, seconds in again["tests"].items() if seconds > MOST_SECONDS]
        kept = sum(seconds for name, seconds in again["tests"].items() if name not in self._left_out[module])
        turn = float(again["seconds"] * kept / max(sum(again["tests"].values()), 1e-9))
        self._limits[module] = max(LEAST_SECONDS, TIMES * turn)
        return turn

    def about(self, module: str, source: str, tests: tuple[str, ...]) -> Outcome:
        """What the tests say of a mutated module."""
        self.shadow.put(module, source)
        answer = self._ask(tests, module, self._limits[module])
        self.shadow.restore(module)
        code, failed = answer["code"], answer["failed"]
        if failed:
            self._killers[module][failed] += 1
        by = "" if code == 0 else "time limit" if code is None else failed or "crash"
        return Outcome(code != 0, by, answer["seconds"])

    def _ask(
        self,
        tests: tuple[str, ...],
        module: str,
        seconds: float,
        *,
        writes: bool = False,
        imports: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        killers = [name for name, _ in self._killers[module].most_common(5)]
        first = [*killers, *(name for name in self._fastest[module] if name not in killers)]
        asked = {"files": tests, "first": first, "seconds": seconds, "scratch": str(self.shadow.scratch)}
        asked |= {"writes": writes, "imports": imports, "interpreted": self._interpreted[module]}
        asked |= {"left_out": self._left_out[module]}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that runs tests has ended; its last words stand above")
        return dict(json.loads(line))
