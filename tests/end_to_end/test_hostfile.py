"""Two machines without a scheduler: each launcher that needs no ssh, over a network, hurt and whole.

The machines are namespaces (`tests/slurm/machines.py`). As Debian and Ubuntu install them, the name of each leads to
127.0.1.1 on the machine itself, where no other can reach it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from pretraining.run.checkpoint.reader import CheckpointReader
from tests.slurm.machines import Machine, Network, why_none

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
RECIPE = f"""{TINY_MODEL}shards = ["FOLDER/shards"]
[training]
steps = 60
batch_size = 16
micro_batch_size = 8
[evaluation]
examples = 8
[checkpoint]
every = 3
[health]
lost_after_seconds = 10.0
[output]
export = false
tensorboard = false
peak_tflops = 1.0
log_every = 1
"""


def deepspeed(number: int, hosts: Path) -> list[str | Path]:
    """`deepspeed` on the machine of this number, without ssh."""
    place = ["--hostfile", hosts, "--no_ssh", "--node_rank", str(number)]
    return [BIN / "deepspeed", *place, "--master_addr", "n1", "--master_port", "29511"]


def torchrun(number: int, hosts: Path) -> list[str | Path]:
    """`torchrun` there; it reads no hostfile."""
    place = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(number)]
    return [BIN / "torchrun", *place, "--master-addr", "n1", "--master-port", "29511"]


LAUNCHERS = {"deepspeed": deepspeed, "torchrun": torchrun}


class Started:
    """A command that runs on a machine."""

    def __init__(self, machine: Machine, command: list[str | Path], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("a") as output:
            self.process = subprocess.Popen(
                machine.command(*command),
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def find(self, *words: str) -> psutil.Process:
        """The process of the command whose program and first arguments end with these words, one each."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            line = process.cmdline()
            if len(line) > len(words) and all(part.endswith(word) for part, word in zip(line[1:], words, strict=False)):
                return process
        raise AssertionError(f"no {words} runs: {self.said}")

    def rank(self) -> psutil.Process:
        """The process that trains."""
        return self.find("-u", "pretraining/main.py")

    @property
    def said(self) -> str:
        return self.log.read_text()[-4000:]

    def end(self) -> None:
        for process in [*psutil.Process(self.process.pid).children(recursive=True)] if self.is_alive else []:
            process.kill()
        if self.is_alive:
            self.process.kill()
        self.process.wait()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


class Hosts:
    """The machines n1 and n2, and what the tests start there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hostfile, self.recipe = folder, folder / "hostfile", folder / "recipe.toml"
        self.hostfile.write_text("n1 slots=1\nn2 slots=1\n")
        write_shards(folder / "shards", rows=500)
        self.recipe.write_text(RECIPE.replace("FOLDER", str(folder)))
        left_out = ("RANK", "WORLD_", "LOCAL_", "SLURM_", "MASTER_", "GLOO_")
        own = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT), "RESTART_SECONDS": "1"}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | own
        self.environment["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self.network = Network(folder, self.environment)
        self.machines = [self.network.add("n1"), self.network.add("n2")]
        self.started: list[Started] = []

    def power_on(self, machine: Machine) -> None:
        machine.power_on()
        own = self.folder / f"{machine.name}.hosts"
        own.write_text(f"127.0.1.1 {machine.name}\n{self.network.hosts.read_text()}")
        subprocess.run(machine.command("mount", "--bind", own, "/etc/hosts"), check=True)

    def start(self, number: int, command: list[str | Path], run: Path, *options: str) -> Started:
        """`command` and then the run's arguments, on one machine."""
        arguments = ["pretraining/main.py", "--config", self.recipe, f"--output.folder={run}", *options]
        log = self.folder / f"{run.name}-n{number + 1}.log"
        self.started.append(Started(self.machines[number], [*command, *arguments], log, self.environment))
        return self.started[-1]

    def on_both(self, launcher: str, run: Path, *options: str) -> list[Started]:
        return [self.start(number, LAUNCHERS[launcher](number, self.hostfile), run, *options) for number in (0, 1)]

    def remove(self) -> None:
        while self.started:
            self.started.pop().end()
        self.network.remove()


def codes(all_started: list[Started], seconds: float = 300.0) -> list[int]:
    deadline = time.monotonic() + seconds
    for started in all_started:
        try:
            started.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pytest.fail("\n".join(one.said for one in all_started))
    return [started.process.returncode for started in all_started]


def state_of(run: Path) -> dict[str, Any]:
    file = run / "state.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def until(condition: Callable[[], bool], all_started: list[Started], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "\n".join(started.said for started in all_started)
        time.sleep(0.1)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    latest = (run / "checkpoints" / "latest").read_text().strip()
    return CheckpointReader(run / "checkpoints" / latest).weights()


def same_weights(left: Path, right: Path) -> bool:
    one, other = weights_of(left), weights_of(right)
    return one.keys() == other.keys() and all(torch.equal(weight, other[name]) for name, weight in one.items())


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    if reason := why_none():
        pytest.skip(f"two machines of namespaces cannot be made here: {reason}")
    made = Hosts(tmp_path_factory.mktemp("hosts"))
    try:
        for machine in made.machines:
            made.power_on(machine)
        yield made
    finally:
        made.remove()


@pytest.fixture(autouse=True)
def nothing_left(hosts: Hosts) -> Iterator[None]:
    """What a test has started ends with it, also where it fails: the next one needs the same port."""
    yield
    while hosts.started:
        hosts.started.pop().end()


@pytest.fixture(scope="module")
def on_one_machine(hosts: Hosts) -> Path:
    """The run of both ranks on one machine, which nobody disturbs."""
    run = hosts.folder / "one"
    started = hosts.start(0, [BIN / "deepspeed", "--num_gpus", "2"], run)
    assert codes([started]) == [0], started.said
    return run


def network_bytes(machine: Machine) -> int:
    """What has left the machine by its network so far."""
    counted = subprocess.run(
        machine.command("cat", "/sys/class/net/eth0/statistics/tx_bytes", "/proc/net/dev"),
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    line = next(line for line in counted.splitlines() if line.strip().startswith("eth0:"))
    return int(line.partition(":")[2].split()[8])


@pytest.mark.parametrize(("launcher", "told", "other"), [("deepspeed", -15, 75), ("torchrun", 1, 1)])
def test_a_launcher_is_stopped_and_the_same_commands_go_on(
    hosts: Hosts, on_one_machine: Path, launcher: str, told: int, other: int
) -> None:
    """SIGTERM on one machine: both save and end. In the end the weights are those of one machine, bit for bit."""
    run = hosts.folder / launcher
    before = network_bytes(hosts.machines[0])
    all_started = hosts.on_both(launcher, run)
    until(lambda: bool(state_of(run).get("saved_step")), all_started)
    began = time.monotonic()
    all_started[1].find(f"bin/{launcher}").send_signal(signal.SIGTERM)
    ended = codes(all_started, 60)
    print(f"{launcher}: {time.monotonic() - began:.1f} s to the end, codes {ended}", file=sys.stderr)
    until(lambda: state_of(run)["status"] != "running", all_started, 60)
    state = state_of(run)
    assert state["status"] == "interrupted", all_started[0].said
    assert 3 <= state["saved_step"] == state["step"] < 60
    assert ended == [other, told]
    all_started = hosts.on_both(launcher, run)
    assert codes(all_started) == [0, 0], "\n".join(started.said for started in all_started)
    assert state_of(run)["status"] == "finished"
    assert same_weights(run, on_one_machine)
    assert network_bytes(hosts.machines[0]) - before > 1_000_000


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_killed_rank_ends_both_machines(hosts: Hosts, launcher: str) -> None:
    """deepspeed makes 247 and 75 of it, torchrun 1; state.json has the reason all the same."""
    run = hosts.folder / f"{launcher}-killed"
    all_started = hosts.on_both(launcher, run, "--training.steps=100000")
    until(lambda: bool(state_of(run).get("saved_step")), all_started)
    all_started[1].rank().kill()
    ended = codes(all_started, 60)
    assert ended == ([75, 247] if launcher == "deepspeed" else [1, 1])
    state = state_of(run)
    assert (state["status"], "rank 1 on n2" in state["reason"]) == ("interrupted", True)


def test_a_machine_dies_and_the_loop_goes_on_when_it_is_back(hosts: Hosts, on_one_machine: Path) -> None:
    """The machine that is left ends within a bounded time, and its loop waits for the other one."""
    run = hosts.folder / "loop"

    def loop(number: int) -> Started:
        return hosts.start(number, ["cluster/restart.sh", *torchrun(number, hosts.hostfile)], run)

    all_started = [loop(0), loop(1)]
    until(lambda: bool(state_of(run).get("saved_step")), all_started)
    began = time.monotonic()
    hosts.machines[1].power_off()
    until(lambda: state_of(run)["status"] == "interrupted", all_started[:1], 60)
    print(f"{time.monotonic() - began:.1f} s to the end on the machine that is left", file=sys.stderr)
    assert "n2" in state_of(run)["reason"]
    until(lambda: "started again in" in all_started[0].said, all_started[:1], 60)
    hosts.power_on(hosts.machines[1])
    all_started[1] = loop(1)
    assert codes(all_started) == [0, 0], "\n".join(started.said for started in all_started)
    assert state_of(run)["status"] == "finished"
    assert same_weights(run, on_one_machine)


def test_the_loop_ends_with_what_must_be_mended_and_when_it_is_told(hosts: Hosts) -> None:
    wrong = hosts.start(0, ["cluster/restart.sh", BIN / "python"], hosts.folder / "wrong", "--no.key=1")
    alone = hosts.start(0, ["cluster/restart.sh", BIN / "python"], hosts.folder / "told", "--training.steps=100000")
    assert codes([wrong]) == [2], wrong.said
    until(lambda: bool(state_of(hosts.folder / "told").get("saved_step")), [alone])
    alone.find("cluster/restart.sh").terminate()
    assert codes([alone], 60) == [75]
    assert "not started again" in alone.said
    assert state_of(hosts.folder / "told")["status"] == "interrupted"


def test_the_loop_ends_when_three_starts_got_no_further(hosts: Hosts) -> None:
    """The other machine never comes: each start says so and ends."""
    alone = hosts.start(
        0,
        ["cluster/restart.sh", *deepspeed(0, hosts.hostfile)],
        hosts.folder / "fruitless",
        "--health.join_seconds=1",
    )
    assert codes([alone]) == [75], alone.said
    assert alone.log.read_text().count("error: rank 1 of 2 did not come to n1:29511 within 1 s") == 3
    assert "three starts in a row got the run no further" in alone.said
    assert state_of(hosts.folder / "fruitless")["status"] == "interrupted"
