"""The preflight in jobs of a real Slurm, whose two nodes are namespaces of this machine.

The scripts that start it lie beside the repository, in `shared/tools/slurm-cluster/`, or where SLURM_CLUSTER_TOOLS
says; they need root, and Slurm's daemons installed. Elsewhere these tests are skipped.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.synthetic_shards import write_shards

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

RECIPE = """
[model]
size = "tiny"
hidden_size = 32
intermediate_size = 64
max_position_embeddings = 32
[data]
sequence_length = 32
[training]
steps = 2
batch_size = 16
micro_batch_size = 8
precision = "fp32"
[evaluation]
examples = 20
[output]
peak_tflops = 1.0
"""
OPTIONS = "--memory-gib 0.02 --exchange-mib 0.1 --slow-device 0 --slow-node 0"
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}


class Cluster:
    """A Slurm of the nodes n1 and n2; `folder` holds its files and those of the jobs."""

    def __init__(self, folder: Path, repository: Path, environment: dict[str, str]) -> None:
        self.folder, self.repository, self.environment = folder, repository, environment

    def run(self, *arguments: str | Path) -> tuple[dict[str, str], str]:
        """Submits pretrain.sbatch on both nodes and waits; what Slurm says of the job, and the job's log."""
        log = self.folder / f"job-{time.monotonic_ns()}.log"
        resources = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1", "--time=10"]
        command = ["sbatch", "--parsable", *resources, f"--output={log}", "cluster/slurm/pretrain.sbatch"]
        job = self.ask(*command, *map(str, arguments)).strip()
        deadline = time.monotonic() + 400
        while said := dict(re.findall(r"(\w+)=(\S+)", self.ask("scontrol", "-o", "show", "job", job))):
            if said["JobState"] in ENDED or time.monotonic() > deadline:
                break
            time.sleep(1)
        return said, log.read_text() if log.exists() else ""

    def ask(self, *command: str) -> str:
        """The output of one of Slurm's commands."""
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=self.repository, env=self.environment
        )
        return answer.stdout

    def mount_on(self, node: str, folder: Path) -> None:
        """An empty disk of its own over a folder, on one node."""
        start = int((self.folder / f"node-{node}.pid").read_text())
        inside = next(child for child in psutil.Process(start).children(recursive=True) if "slurmd" in child.name())
        mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
        subprocess.run(["nsenter", "-t", str(inside.pid), "-m", *mount], check=True)


@pytest.fixture(scope="module")
def cluster(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    tools = Path(os.environ.get("SLURM_CLUSTER_TOOLS", repository.parent / "shared" / "tools" / "slurm-cluster"))
    if os.geteuid() != 0:
        pytest.skip("a Slurm of several nodes on one machine needs root")
    if not (tools / "up.sh").is_file():
        pytest.skip(f"no {tools.name}/up.sh beside the repository, and SLURM_CLUSTER_TOOLS names no folder with it")
    folder = tmp_path_factory.mktemp("slurm")
    os.chmod(folder, 0o755)
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        ports = {"SLURM_TEST_CTLPORT": str(one.getsockname()[1]), "SLURM_TEST_DPORT": str(two.getsockname()[1])}
    place = os.getpid() % 200
    own = {"SLURM_TEST_TAG": f"pf{place}", "SLURM_TEST_NET": f"10.{place}.79", **ports}
    environment = {**os.environ, **own, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    up = subprocess.run(
        ["bash", tools / "up.sh", folder, "2", "2", "1"], env=environment, capture_output=True, text=True
    )
    try:
        if up.returncode != 0:
            pytest.skip(f"Slurm does not start here: {(up.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        job = {"SLURM_CONF": str(folder / "slurm.conf"), "VIRTUAL_ENV_FOLDER": str(Path(sys.executable).parents[1])}
        job |= {"PYTHONPATH": str(repository), "PREFLIGHT_OPTIONS": OPTIONS}
        yield Cluster(folder, repository, {**environment, **job})
    finally:
        subprocess.run(["bash", tools / "down.sh", folder], env=environment, check=False)


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Those of pretraining: both ways to write an option."""
    (tmp_path / "recipe.toml").write_text(RECIPE)
    shards = write_shards(tmp_path / "shards", rows=20, heldout_rows=10)
    (tmp_path / "run").mkdir()
    return [f"--config={tmp_path}/recipe.toml", "--data.shards", str(shards), f"--output.folder={tmp_path}/run"]


def test_training_begins_where_all_is_well(cluster: Cluster, arguments: list[str], tmp_path: Path) -> None:
    job, log = cluster.run(*arguments)
    assert "preflight: all is well" in log, log
    assert "2 on 2 nodes: n1 and n2" in log
    assert (job["JobState"], job["ExitCode"]) == ("COMPLETED", "0:0"), log
    assert (tmp_path / "run" / "export").is_dir()


def test_a_folder_that_is_not_shared_ends_the_job(cluster: Cluster, arguments: list[str], tmp_path: Path) -> None:
    cluster.mount_on("n2", tmp_path / "run")
    job, log = cluster.run(*arguments)
    assert f"preflight: n2: what n1 wrote to {tmp_path}/run is not seen there; give a folder on a file system" in log, (
        log
    )
    assert "the preflight found what is said above: mend it, or leave the node out" in log
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert list((tmp_path / "run").iterdir()) == []
