"""The first node of a Dask cluster: its scheduler, and the command that the cluster is there for.

    python -m cluster.engines.dask_driver --meeting FOLDER -- COMMAND …

Makes the folder, starts a scheduler, which FOLDER/scheduler.json leads to, waits for one worker
(`cluster/engines/dask_workers.py`, on any number of nodes), and runs the command. Workers may come later, and go. When
the command ends the cluster ends, and its exit code is this one's: 75 where no worker came.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from cluster.engines.dask_meeting import Meeting
from cluster.errors import ClusterError
from cluster.process_tree import end_process_tree

SECONDS_TO_START = 60.0
SECONDS_TO_GATHER = 300.0
SECONDS_TO_LEAVE = 2.0
"""In which workers see that all is over, before the scheduler is gone."""
AGAIN = 75


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser
    from preprocessing.errors import PreprocessingError

    parser = OptionParser(
        "python -m cluster.engines.dask_driver",
        "Runs a command on a Dask cluster, whose scheduler it starts.",
        ClusterError,
        usage="%(prog)s --meeting PATH [--interface NAME] -- COMMAND ...",
    )
    text = "a new folder for this start, on a file system that every node sees"
    parser.add_argument("--meeting", type=Path, required=True, help=text)
    text = "network interface that the workers reach, such as ib0 (default: that of this machine's name)"
    parser.add_argument("--interface", help=text)
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="the command to run, with its options, after --")
    try:
        arguments = parser.parse_args(argv)
        return run(Meeting(arguments.meeting), arguments.command, arguments.interface)
    except (ClusterError, PreprocessingError) as error:
        print(f"dask_driver: {error}", file=sys.stderr)
        return error.exit_code


def run(meeting: Meeting, command: Sequence[str], interface: str | None = None) -> int:
    """The exit code of the command, or AGAIN. ClusterError where the scheduler does not start."""
    from preprocessing.jobs.dask_cluster import cluster_settings

    settings = cluster_settings()
    meeting.open(settings)
    written = meeting.folder / "scheduler.new"
    options = ["--protocol", "tls", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    options += ["--scheduler-file", str(written), *_place(interface)]
    scheduler = [sys.executable, "-m", "dask", "scheduler", *options]
    # A session of its own: what ends the command (Ctrl-C) must not take away the scheduler that it works with.
    process = subprocess.Popen(scheduler, env=meeting.environment, start_new_session=True)
    try:
        meeting.publish(written, SECONDS_TO_START, lambda: process.poll() is None)
        if not _wait_for_a_worker(meeting, settings):
            print(f"dask_driver: no worker came within {SECONDS_TO_GATHER:.0f} s; see above", file=sys.stderr)
            return AGAIN
        return _run(command, meeting)
    finally:
        meeting.close()
        time.sleep(SECONDS_TO_LEAVE)
        end_process_tree(os.getpid(), patience=10.0, only_children=True)


def _place(interface: str | None) -> list[str]:
    """Options that say where the scheduler listens; by itself it would take the way to the internet."""
    if interface:
        return ["--interface", interface]
    with suppress(OSError):
        address = socket.gethostbyname(os.environ.get("SLURMD_NODENAME") or socket.gethostname())
        if not address.startswith("127."):
            return ["--host", address]
    return []


def _wait_for_a_worker(meeting: Meeting, settings: dict[str, Any]) -> bool:
    import dask
    from distributed import Client

    with dask.config.set(settings), Client(scheduler_file=str(meeting.address_file), timeout=60) as client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_GATHER)
        except TimeoutError:
            return False
    return True


def _run(command: Sequence[str], meeting: Meeting) -> int:
    """The command's exit code; what asks this process to end, asks the command."""
    process = subprocess.Popen(command, env=meeting.environment)

    def hand_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
