"""Machines of one's own on this one: each with its host name, network address, processes, mounts and shared memory.

A machine is a set of Linux namespaces (`namespaces(7)`), joined to the others by a bridge, so what they say to each
other crosses a network of the kernel's. Only root may make them.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

INIT = Path(__file__).with_name("machine.sh")
PROGRAMS = ("ip", "nsenter", "unshare", "setpriv", "mount")
SYSTEM_PATH = "/usr/sbin:/sbin"


def missing(programs: Sequence[str]) -> list[str]:
    """Those of the programs that are not on PATH, nor where a system keeps its own."""
    path = f"{os.environ['PATH']}:{SYSTEM_PATH}"
    return [program for program in programs if shutil.which(program, path=path) is None]


def why_none() -> str | None:
    """Why no machines can be made here, or None where they can."""
    if os.geteuid() != 0:
        return "machines of namespaces need root"
    if absent := missing(PROGRAMS):
        return f"not installed: {', '.join(absent)}"
    namespaces = ["unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "true"]
    tried = subprocess.run(namespaces, capture_output=True, text=True, check=False)
    return tried.stderr.strip() or None if tried.returncode else None


class Machine:
    """One machine; `log` has what its first process and its daemon say."""

    def __init__(self, network: "Network", name: str, address: str, daemon: Sequence[str], log: Path) -> None:
        self.network, self.name, self.address, self.daemon, self.log = network, name, address, daemon, log
        self.namespace = f"{network.tag}-{name}"
        self._outside: subprocess.Popen[bytes] | None = None

    def power_on(self) -> None:
        """Starts its first process and the daemon, where it is off; what it ran before is not there any more."""
        if self._outside is not None:
            return
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}", "setpriv", "--pdeathsig", "KILL"]
        kinds = ["--uts", "--ipc", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        first = ["bash", str(INIT), self.name, str(self.network.hosts), *self.daemon]
        with self.log.open("ab") as log:
            self._outside = subprocess.Popen(
                [*enter, "unshare", *kinds, *first],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.network.environment,
                start_new_session=True,
            )

    def power_off(self) -> None:
        """Everything that runs there is gone at once, and nobody is told."""
        if self._outside is not None:
            inside = self.processes()
            self._outside.send_signal(signal.SIGKILL)
            self._outside.wait()
            self._outside = None
            # They die with the first one (`--kill-child`), which takes a moment.
            deadline = time.monotonic() + 10
            while any(_runs(process) for process in inside) and time.monotonic() < deadline:
                time.sleep(0.02)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs there, the first process at the head."""
        return [] if self._outside is None else psutil.Process(self._outside.pid).children(recursive=True)

    def command(self, *words: str | Path) -> list[str]:
        """The words that run a command there, for `subprocess`."""
        first = self._first().pid
        kinds = ["--net", "--uts", "--ipc", "--mount", "--pid", f"--wd={Path.cwd()}"]
        return ["nsenter", "--target", str(first), *kinds, "--", *map(str, words)]

    def _first(self) -> psutil.Process:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for process in self.processes():
                # Its last act of preparation is the mount over /dev/shm.
                if " /dev/shm tmpfs rw,relatime,size=2097152k" in _mounts(process):
                    return process
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not come up; see {self.log}")

    def mount_over(self, folder: Path) -> None:
        """An empty disk of its own over a folder, on this machine only."""
        mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
        subprocess.run(self.command(*mount), check=True)

    def unplug(self) -> None:
        """Its network link goes down; what runs there goes on."""
        subprocess.run(["ip", "link", "set", self.link, "down"], check=True)

    def plug_in(self) -> None:
        """Its network link comes up again."""
        subprocess.run(["ip", "link", "set", self.link, "up"], check=True)

    @property
    def link(self) -> str:
        """The end of its cable at the bridge."""
        return f"{self.network.tag}-{self.name}"


def _runs(process: psutil.Process) -> bool:
    """Whether it is not dead; that somebody has still to bury it does not count."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _mounts(process: psutil.Process) -> str:
    """What is mounted where the process is; nothing of one that ends at this moment."""
    try:
        return Path(f"/proc/{process.pid}/mounts").read_text()
    except OSError:  # EINVAL: the process has left its namespaces
        return ""


class Network:
    """A bridge, and the machines on it. This process has the address `.1` there."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.hosts = folder, folder / "hosts"
        self.environment = {**environment, "PATH": f"{environment['PATH']}:{SYSTEM_PATH}"}
        self.machines: dict[str, Machine] = {}
        self.tag, self.number = self._bridge()
        self.hosts.write_text("127.0.0.1 localhost\n")

    def _bridge(self) -> tuple[str, int]:
        """Tests that run at the same time have networks of their own: the first number that nobody has."""
        for number in range(60, 250):
            tag = f"t{number}"
            made = ["ip", "link", "add", f"{tag}-bridge", "type", "bridge"]
            if subprocess.run(made, capture_output=True, env=self.environment, check=False).returncode == 0:
                self._ip("address", "add", f"10.{number}.79.1/24", "dev", f"{tag}-bridge")
                self._ip("link", "set", f"{tag}-bridge", "up")
                return tag, number
        raise RuntimeError("no number is free for another network")

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], env=self.environment, check=True)

    def add(self, name: str, daemon: Sequence[str] = ()) -> Machine:
        """Another machine, which is still off."""
        machine = Machine(
            self, name, f"10.{self.number}.79.{11 + len(self.machines)}", daemon, self.folder / f"{name}.log"
        )
        self._ip("netns", "add", machine.namespace)
        self._ip("link", "add", machine.link, "type", "veth", "peer", "name", "eth0", "netns", machine.namespace)
        self._ip("link", "set", machine.link, "master", f"{self.tag}-bridge", "up")
        self._ip("-n", machine.namespace, "link", "set", "lo", "up")
        self._ip("-n", machine.namespace, "address", "add", f"{machine.address}/24", "dev", "eth0")
        self._ip("-n", machine.namespace, "link", "set", "eth0", "up")
        self.machines[name] = machine
        with self.hosts.open("a") as hosts:
            hosts.write(f"{machine.address} {name}\n")
        return machine

    def remove(self) -> None:
        """Every machine, and the bridge."""
        for machine in self.machines.values():
            machine.power_off()
            self._ip("link", "delete", machine.link)
            self._ip("netns", "delete", machine.namespace)
        self._ip("link", "delete", f"{self.tag}-bridge")
