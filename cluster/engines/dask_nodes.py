"""A Dask cluster inside one Slurm step, for the time of one command.

    srun python -m cluster.engines.dask_nodes --scheduler-file FILE --workers-per-node N -- COMMAND …

Started once per node. The first node runs the scheduler and, when the workers of all nodes have come, the command;
every node runs worker processes of one thread. When the command ends, the cluster ends, and the exit code of the
first node is the command's.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.local_chain import end_process_tree

SECONDS_TO_GATHER = 300.0


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser

    parser = OptionParser(
        "python -m cluster.engines.dask_nodes",
        __doc__.split("\n")[0],
        ClusterError,
        usage="%(prog)s --scheduler-file PATH --workers-per-node N -- COMMAND ...",
    )
    text = "file through which the nodes find the scheduler, on a file system that every node sees"
    parser.add_argument("--scheduler-file", type=Path, required=True, help=text)
    text = "worker processes of one thread on each node"
    parser.add_argument("--workers-per-node", type=int, required=True, help=text)
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="the command to run, with its options, after --")
    node = int(os.environ.get("SLURM_PROCID", "0"))
    nodes = int(os.environ.get("SLURM_NTASKS", "1"))
    try:
        arguments = parser.parse_args(argv)
        if node == 0:
            return _first_node(arguments.scheduler_file, arguments.workers_per_node, nodes, arguments.command)
        return _worker(arguments.scheduler_file, arguments.workers_per_node).wait()
    except ClusterError as error:
        print(f"dask_nodes: {error}", file=sys.stderr)
        return error.exit_code


def _first_node(scheduler_file: Path, workers_per_node: int, nodes: int, command: Sequence[str]) -> int:
    from distributed import Client

    # A file left by a killed job would lead the workers to a scheduler that is gone.
    scheduler_file.unlink(missing_ok=True)
    command_of_scheduler = [sys.executable, "-m", "dask", "scheduler", "--scheduler-file", str(scheduler_file)]
    subprocess.Popen([*command_of_scheduler, "--port", "0", "--no-dashboard", "--no-show"])
    try:
        _wait_for(scheduler_file)
        worker = _worker(scheduler_file, workers_per_node)
        with Client(scheduler_file=str(scheduler_file), timeout=60) as client:
            _gather(client, nodes * workers_per_node)
            code = subprocess.run(command, check=False).returncode
            client.shutdown()
        worker.wait(timeout=60)
        return code
    finally:
        end_process_tree(os.getpid(), patience=10.0, only_children=True)
        scheduler_file.unlink(missing_ok=True)


def _gather(client: Any, workers: int) -> None:
    """Waits for the workers of all nodes, but not for ever: one slow node of many must not fail the job."""
    try:
        client.wait_for_workers(workers, timeout=SECONDS_TO_GATHER)
    except TimeoutError as error:
        found = len(client.scheduler_info(n_workers=-1)["workers"])
        if not found:
            raise ClusterError(
                f"none of {workers} Dask workers came within {SECONDS_TO_GATHER:.0f} s; see this step's log"
            ) from error
        print(
            f"dask_nodes: {found} of {workers} workers came within {SECONDS_TO_GATHER:.0f} s; going on with them, and "
            "with others when they come",
            file=sys.stderr,
        )


def _worker(scheduler_file: Path, workers: int) -> subprocess.Popen[bytes]:
    _wait_for(scheduler_file)
    command = [sys.executable, "-m", "dask", "worker", "--scheduler-file", str(scheduler_file)]
    command += ["--nworkers", str(workers), "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    return subprocess.Popen([*command, "--death-timeout", str(SECONDS_TO_GATHER)])


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_GATHER
    while not file.exists():
        if time.monotonic() > deadline:
            raise ClusterError(f"{file} did not appear: the scheduler on the first node did not start")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
