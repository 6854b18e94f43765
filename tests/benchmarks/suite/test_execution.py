"""A benchmark's process: what it found, what it took, how it fails, and that nothing of it is left."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.suite.execution import Round, execute, one_thread

REPOSITORY = Path(__file__).resolve().parents[3]


def python(program: str, limit: float = 60.0) -> Round:
    return execute(("-c", program), {}, limit)


def test_the_last_line_is_what_was_found() -> None:
    found = python("print('slowly'); print('{\"rate\": 2.5}')")
    assert found.figures == {"rate": 2.5}
    assert found.failure is None
    assert found.text.startswith("slowly\n")
    assert found.seconds > 0
    assert found.cpu_seconds > 0


@pytest.mark.parametrize("text", ["a table", "[1, 2]", "3", ""])
def test_text_has_no_figures(text: str) -> None:
    found = python(f"print({text!r})")
    assert (found.figures, found.failure) == (None, None)


def test_memory_is_that_of_the_largest_process() -> None:
    inner = "b = bytearray(300 << 20); b[::4096] = bytes(len(b[::4096]))"
    found = python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)")
    assert found.peak_bytes > 300 << 20
    # A process that is forked counts its parent's memory until it is another program: of what runs here now, no less.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert found.peak_bytes < max(600 << 20, own + (50 << 20))


def test_a_failure_is_told_by_its_last_line() -> None:
    found = python("print('{}'); raise SystemExit('no such corpus')")
    assert found.failure == "exit code 1: no such corpus"
    assert found.figures is None
    assert python("import os; os._exit(3)").failure == "exit code 3: it said nothing"


def test_one_that_takes_too_long_is_ended_with_its_processes(tmp_path: Path) -> None:
    note = tmp_path / "process"
    inner = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    found = python(outer, limit=5.0)
    assert found.failure == "not done after 5 s"
    if note.exists() and note.read_text():
        process = int(note.read_text())
        while os.path.exists(f"/proc/{process}") and b"zombie" not in Path(f"/proc/{process}/status").read_bytes():
            time.sleep(0.05)


def test_who_is_interrupted_takes_its_process_along(tmp_path: Path) -> None:
    note = tmp_path / "process"
    inner = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    outer = (
        "import signal; from benchmarks.suite.execution import execute; "
        f"signal.signal(signal.SIGTERM, signal.default_int_handler); execute(('-c', {inner!r}), {{}}, 600.0)"
    )
    process = subprocess.Popen([sys.executable, "-c", outer], stderr=subprocess.DEVNULL, cwd=REPOSITORY)
    while not note.exists() or not note.read_text():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    process.wait()
    assert not Path(f"/proc/{note.read_text()}").exists()


def test_both_sides_have_as_many_threads() -> None:
    environment = one_thread(2)
    assert {environment[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")} == {"2"}
    assert environment["HF_HUB_OFFLINE"] == "1"
    found = execute(
        ("-c", "import json, os; print(json.dumps({'n': int(os.environ['OMP_NUM_THREADS'])}))"), environment, 60
    )
    assert found.figures == {"n": 2}
