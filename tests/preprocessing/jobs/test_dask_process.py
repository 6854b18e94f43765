"""What a process of Dask begins with."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
from distributed import Worker
from preprocessing.jobs.dask_process import dask_setup
dask_setup(Worker.__new__(Worker) if sys.argv[1] == "worker" else object())
logging.warning("a remark of Beam's import")
print(open("/proc/self/oom_score_adj").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's files")
@pytest.mark.parametrize(("kind", "points"), [("worker", 500), ("scheduler", None)])
def test_workers_come_first_when_memory_runs_out_and_nobody_remarks(kind: str, points: int | None) -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    with open("/proc/self/oom_score_adj") as file:
        before = int(file.read())
    run = subprocess.run([sys.executable, "-c", PROGRAM, kind], capture_output=True, text=True, check=True)
    assert int(run.stdout) == (before if points is None else points)
    assert run.stderr == ""
