"""A Dask cluster of two "nodes" (two processes with Slurm's variables) runs one command and ends with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.engines import dask_nodes
from cluster.engines.dask_nodes import main

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


@pytest.mark.slow
def test_a_node_that_does_not_come_does_not_fail_the_job(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("SystemExit(5)", "SystemExit(0)"))
    impatient = "import sys; from cluster.engines import dask_nodes as d; d.SECONDS_TO_GATHER = 8.0; sys.exit(d.main())"
    command = [sys.executable, "-c", impatient, "--scheduler-file", tmp_path / "s.json", "--workers-per-node", "1"]
    command += ["--", sys.executable, program, tmp_path / "s.json"]
    environment = {**os.environ, "SLURM_PROCID": "0", "SLURM_NTASKS": "32"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "1 of 32 workers came within 8 s; going on with them" in done.stderr
    assert "sum 6" in done.stdout


def test_a_wrong_option_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scheduler-file", "s.json", "--worker-per-node", "1", "--", "true", "--workers_per_node"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_after_two_hyphens_is_handed_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(dask_nodes, "_first_node", lambda *arguments: taken.append(arguments) or 5)
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "3")
    words = ["beam", "run", "x.py", "--workers_per_node=2", "--scheduler-file", "other"]
    assert main(["--scheduler_file", "s.json", "--workers-per-node", "4", "--", *words]) == 5
    assert taken == [(Path("s.json"), 4, 3, words)]
