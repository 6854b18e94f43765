"""One process group, also where nobody else is to be met."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ALONE = """
import torch.distributed as dist
from pretraining.run.engine import start_processes
from pretraining.run.ranks import read_environment
device = start_processes(read_environment())
print(device.type, dist.get_rank(), dist.get_world_size())
"""


def test_a_single_rank_starts_where_its_launchers_port_is_held(repository: Path) -> None:
    """DeepSpeed's launcher says 29500 whenever it starts, and so two runs of one GPU each have the same."""
    with socket.socket() as held:
        held.bind(("", 0))
        held.listen()
        launcher = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
        variables = {**os.environ, **launcher, "MASTER_PORT": str(held.getsockname()[1])}
        command = [sys.executable, "-c", ALONE]
        ran = subprocess.run(command, cwd=repository, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[-2:] == ["0", "1"]
