"""A Dask cluster of two "nodes" (two processes with Slurm's variables) runs one command and ends with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from distributed import Client
with Client(scheduler_file=sys.argv[1]) as client:
    print("workers", len(client.scheduler_info(n_workers=-1)["workers"]))
    print("sum", client.submit(sum, [1, 2, 3]).result())
raise SystemExit(5)
"""


@pytest.mark.slow
def test_two_nodes_run_the_command_and_hand_back_its_exit_code(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    scheduler_file = tmp_path / "scheduler.json"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "cluster.engines.dask_nodes", "--scheduler-file", scheduler_file]
    command += ["--workers-per-node", "1", "--", sys.executable, program, scheduler_file]
    nodes = [
        subprocess.Popen(
            command,
            env={**os.environ, "SLURM_PROCID": str(rank), "SLURM_NTASKS": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    output, errors = nodes[0].communicate(timeout=120)
    assert "workers 2" in output, errors
    assert "sum 6" in output
    assert nodes[0].returncode == 5
    assert nodes[1].wait(timeout=60) == 0
    assert not scheduler_file.exists()
