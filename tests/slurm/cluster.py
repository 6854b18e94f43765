"""A real Slurm: munge, a controller and nodes, each but munge on a machine of namespaces; and its jobs."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.slurm.machines import Network, missing, why_none

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
A_RANK_ON_EACH = ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1", "--time=60")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL"}
CPUS, GPUS, MEMORY_MB = 2, 1, 4000

# Times are short, so that tests need not wait for what takes minutes on a real cluster: a node counts as lost after 8
# seconds of silence, a preempted job has 5 after SIGTERM, a requeued one may start again after 5 (`cred_expire`).
SETTINGS: dict[str, str | int] = {
    "SlurmUser": "root",
    "SlurmdUser": "root",
    "AuthType": "auth/munge",
    "CredType": "cred/munge",
    "ProctrackType": "proctrack/linuxproc",
    "TaskPlugin": "task/none",
    "JobAcctGatherType": "jobacct_gather/none",
    "AccountingStorageType": "accounting_storage/none",
    "SwitchType": "switch/none",
    "MpiDefault": "none",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_Core_Memory",
    "GresTypes": "gpu",
    "SlurmdParameters": "config_overrides",
    "ReturnToService": 2,
    "JobRequeue": 1,
    "SlurmdTimeout": 8,
    "SlurmctldTimeout": 10,
    "BatchStartTimeout": 10,
    "MessageTimeout": 10,
    "KillWait": 5,
    "InactiveLimit": 0,
    "MinJobAge": 3600,
    "SchedulerType": "sched/backfill",
    "SchedulerParameters": "sched_interval=2,bf_interval=2,bf_continue,sched_min_interval=0,batch_sched_delay=0",
    "PreemptType": "preempt/partition_prio",
    "PreemptMode": "REQUEUE",
}


def why_no_slurm() -> str | None:
    """Why Slurm cannot be started here, or None where it can."""
    if reason := why_none():
        return reason
    absent = missing(PROGRAMS)
    return f"not installed: {', '.join(absent)} (Debian: slurm-wlm, munge)" if absent else None


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
            time.sleep(0.5)
        return now


class Cluster:
    """A Slurm of the nodes n1, n2, …; `folder` holds its files and those of the jobs.

    There are two partitions on the same nodes: `main`, the default, and `high`, whose jobs preempt those of `main`.
    """

    def __init__(self, folder: Path, repository: Path, nodes: int, settings: Mapping[str, str | int]) -> None:
        self.folder, self.repository = folder, repository
        os.chmod(folder, 0o755)
        own = {"SLURM_CONF": str(folder / "slurm.conf"), "VIRTUAL_ENV_FOLDER": str(Path(sys.executable).parents[1])}
        self.network = Network(folder, {**os.environ, **own, "PYTHONPATH": str(repository)})
        self.environment = self.network.environment
        self.nodes = [f"n{number + 1}" for number in range(nodes)]
        controller = self.network.add("ctl", ("slurmctld", "-D", "-c", "-i"))
        for name in self.nodes:
            self.network.add(name, ("slurmd", "-D", "-N", name))
        # Jobs leave files by their number where sbatch was called: clusters that run at once give no job the same.
        self.first_job = 1000 * self.network.number
        self._write_configuration(controller.address, {**SETTINGS, "FirstJobId": self.first_job, **settings})
        self._munge: subprocess.Popen[bytes] | None = None

    def _write_configuration(self, controller: str, settings: Mapping[str, str | int]) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        resources = (
            f"CPUs={CPUS} Sockets=1 CoresPerSocket={CPUS} ThreadsPerCore=1 RealMemory={MEMORY_MB} Gres=gpu:{GPUS}"
        )
        machines = self.network.machines
        partition = f"Nodes={','.join(self.nodes)} MaxTime=INFINITE State=UP DefMemPerCPU={MEMORY_MB // CPUS}"
        lines = [
            "ClusterName=tests",
            f"SlurmctldHost=ctl({controller})",
            f"AuthInfo=socket={self.folder}/munge/socket,cred_expire=5",
            f"StateSaveLocation={self.folder}/state",
            f"SlurmdSpoolDir={self.folder}/spool/%n",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid",
            f"SlurmdPidFile={self.folder}/slurmd-%n.pid",
            f"SlurmctldLogFile={self.folder}/slurmctld.log",
            f"SlurmdLogFile={self.folder}/slurmd-%n.log",
            *(f"{key}={value}" for key, value in settings.items()),
            *(f"NodeName={name} NodeAddr={machines[name].address} {resources} State=UNKNOWN" for name in self.nodes),
            f"PartitionName=main {partition} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=5",
            f"PartitionName=high {partition} PriorityTier=10 PreemptMode=OFF",
        ]
        (self.folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        # A device that everybody has stands for the GPU; Slurm looks only whether it is there.
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")

    def start(self) -> None:
        """Munge, the controller, the nodes; returns when all are idle. Raises RuntimeError with what their logs say."""
        munge = self.folder / "munge"
        munge.mkdir(mode=0o700)
        key = munge / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        paths = [
            f"--{name}={munge / name.partition('-')[0]}" for name in ("socket", "pid-file", "log-file", "seed-file")
        ]
        command = ["setpriv", "--pdeathsig", "KILL", "munged", "--foreground", "--force", f"--key-file={key}", *paths]
        with (self.folder / "munged.log").open("wb") as log:
            self._munge = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        for machine in self.network.machines.values():
            machine.power_on()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            asked = ["sinfo", "--noheader", "--Node", "--partition=main", "--format=%t"]
            states = subprocess.run(asked, env=self.environment, capture_output=True, text=True, check=False)
            if states.stdout.split() == ["idle"] * len(self.nodes):
                return
            time.sleep(0.2)
        logs = sorted(self.folder.glob("*.log"))
        last = "; ".join(f"{log.name}: {' / '.join(log.read_text().splitlines()[-3:])}" for log in logs)
        raise RuntimeError(f"Slurm does not start within a minute: {last}")

    def stop(self) -> None:
        """Nothing of it runs any more."""
        self.network.remove()
        if self._munge is not None:
            self._munge.kill()
            self._munge.wait()

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
            command, capture_output=True, text=True, cwd=self.repository, env=environment, check=False
        )
        assert answer.returncode == 0, f"{' '.join(command)}: exit code {answer.returncode}: {answer.stderr}"
        return answer.stdout

    def mount_on(self, node: str, folder: Path) -> None:
        """An empty disk of its own over a folder, on one node."""
        self.network.machines[node].mount_over(folder)

    def processes_on(self, node: str) -> list[psutil.Process]:
        """Everything that runs there."""
        return self.network.machines[node].processes()

    def rank_on(self, node: str) -> psutil.Process:
        """The process of the run there."""
        words = [(process, process.cmdline()) for process in self.processes_on(node)]
        return next(process for process, line in words if "pretraining/main.py" in "".join(line[1:2]))

    def crash(self, node: str) -> None:
        """Cuts its power: everything there is gone, nobody is told."""
        self.network.machines[node].power_off()

    def boot(self, node: str) -> None:
        """Starts it again after a crash."""
        self.network.machines[node].power_on()

    def all_idle(self) -> bool:
        """Whether every node is up and without a job."""
        return self.ask("sinfo", "--noheader", "--Node", "--partition=main", "--format=%t").split() == ["idle"] * len(
            self.nodes
        )
