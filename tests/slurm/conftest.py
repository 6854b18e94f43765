"""A real Slurm, whose two nodes are namespaces of this machine.

The scripts that start it lie beside the repository, in `shared/tools/slurm-cluster/`, or where SLURM_CLUSTER_TOOLS
says; they need root, and Slurm's daemons installed. Elsewhere the tests that use it are skipped.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest

A_RANK_ON_EACH = ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1", "--time=60")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}


class Job:
    """A job that was submitted, and its log."""

    def __init__(self, cluster: "Cluster", number: str, log: Path) -> None:
        self.cluster, self.number, self.log = cluster, number, log

    @property
    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def now(self) -> dict[str, str]:
        """What Slurm says of the job."""
        return dict(re.findall(r"(\w+)=(\S+)", self.cluster.ask("scontrol", "-o", "show", "job", self.number)))

    def wait(self, seconds: float = 400.0) -> dict[str, str]:
        """What Slurm says of the job when it has ended."""
        deadline = time.monotonic() + seconds
        while (now := self.now())["JobState"] not in ENDED and time.monotonic() < deadline:
            time.sleep(1)
        return now


class Cluster:
    """A Slurm of the nodes n1 and n2; `folder` holds its files and those of the jobs."""

    def __init__(self, folder: Path, repository: Path, tools: Path, environment: dict[str, str]) -> None:
        self.folder, self.repository, self.tools, self.environment = folder, repository, tools, environment

    def submit(
        self,
        *arguments: str | Path,
        variables: Mapping[str, str] | None = None,
        script: str = "pretrain.sbatch",
        resources: Sequence[str] = A_RANK_ON_EACH,
    ) -> Job:
        """A script of `cluster/slurm/` as a job; pretraining on both nodes where nothing else is said."""
        log = self.folder / f"job-{time.monotonic_ns()}.log"
        command = ["sbatch", "--parsable", *resources, f"--output={log}", f"cluster/slurm/{script}"]
        return Job(self, self.ask(*command, *map(str, arguments), variables=variables).strip(), log)

    def run(self, *arguments: str | Path, variables: Mapping[str, str] | None = None) -> tuple[dict[str, str], str]:
        """Submits and waits; what Slurm says of the job, and the job's log."""
        job = self.submit(*arguments, variables=variables)
        return job.wait(), job.said

    def ask(self, *command: str, variables: Mapping[str, str] | None = None) -> str:
        """The output of one of Slurm's commands."""
        environment = {**self.environment, **(variables or {})}
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=self.repository, env=environment
        )
        return answer.stdout

    def mount_on(self, node: str, folder: Path) -> None:
        """An empty disk of its own over a folder, on one node."""
        inside = next(child for child in self.processes_on(node) if "slurmd" in child.name())
        mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
        subprocess.run(["nsenter", "-t", str(inside.pid), "-m", *mount], check=True)

    def processes_on(self, node: str) -> list[psutil.Process]:
        """Everything that runs there."""
        start = int((self.folder / f"node-{node}.pid").read_text())
        return psutil.Process(start).children(recursive=True)

    def rank_on(self, node: str) -> psutil.Process:
        """The process of the run there."""
        words = [(process, process.cmdline()) for process in self.processes_on(node)]
        return next(process for process, line in words if line[1:2] == ["pretraining/main.py"])

    def crash(self, node: str) -> None:
        """Cuts its power: everything there is gone, nobody is told."""
        subprocess.run(["bash", self.tools / "crash.sh", self.folder, node], env=self.environment, check=True)

    def boot(self, node: str) -> None:
        """Starts it again after a crash."""
        subprocess.run(["bash", self.tools / "boot.sh", self.folder, node], env=self.environment, check=True)


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
    own = {"SLURM_TEST_TAG": f"ts{place}", "SLURM_TEST_NET": f"10.{place}.79", **ports}
    environment = {**os.environ, **own, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    up = subprocess.run(
        ["bash", tools / "up.sh", folder, "2", "2", "1"], env=environment, capture_output=True, text=True
    )
    try:
        if up.returncode != 0:
            pytest.skip(f"Slurm does not start here: {(up.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        job = {"SLURM_CONF": str(folder / "slurm.conf"), "VIRTUAL_ENV_FOLDER": str(Path(sys.executable).parents[1])}
        job |= {"PYTHONPATH": str(repository)}
        yield Cluster(folder, repository, tools, {**environment, **job})
    finally:
        subprocess.run(["bash", tools / "down.sh", folder], env=environment, check=False)
