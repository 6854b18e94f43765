"""Preprocessing on a real Slurm of three nodes, hurt in its middle: the bytes are those of the local engine."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.cluster import Cluster, Job

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

ON_TWO = ("--nodes=2", "--cpus-per-task=1", "--time=60")
ON_ONE = ("--nodes=1", "--cpus-per-task=2", "--time=60")
VARIABLES = {"REQUEUE_SECONDS": "1"}
OF_THE_TESTS_SLURM = "srun: cluster configuration lacks support for cpu binding"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def nodes() -> int:
    """So that a job on two of them has somewhere to go when one is lost."""
    return 3


@pytest.fixture(scope="module")
def inputs(cluster: Cluster) -> Path:
    """Two megabytes in made-up words: a hundred splits, some twenty buckets."""
    folder = cluster.folder / "inputs"
    folder.mkdir()
    draw = random.Random(5)
    words = ["".join(draw.choices(LETTERS, k=draw.randint(2, 9))) for _ in range(800)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in dict.fromkeys([*pieces, *words[:500]])))
    documents = [
        "\n".join(" ".join(draw.choices(words, k=draw.randint(4, 14))) + "." for _ in range(draw.randint(6, 30)))
        for _ in range(2000)
    ]
    (folder / "lines.txt").write_text("\n\n".join(documents) + "\n")
    return folder


def arguments(inputs: Path, output: Path) -> list[str]:
    return [
        *("--sentences", str(inputs / "lines.txt"), "--vocab", str(inputs / "vocab.txt"), "--output", str(output)),
        *("--split-bytes", "20000", "--bucket-bytes", "100000", "--sequence-lengths", "32,64"),
        *("--duplicate-factor", "5", "--keep-intermediate"),
    ]


@pytest.fixture(scope="module")
def expected(cluster: Cluster, inputs: Path) -> dict[str, str]:
    """The local engine's shards."""
    output = inputs.parent / "local"
    command = [sys.executable, "-m", "cluster.beam", "run", "preprocessing/pipeline.py", *arguments(inputs, output)]
    subprocess.run(command, check=True, cwd=cluster.repository, capture_output=True, env=dict(os.environ))
    hashes = shards_in(output)
    assert len(hashes) > 20
    return hashes


def shards_in(folder: Path) -> dict[str, str]:
    """The hashes of the shards of a complete build."""
    assert (folder / "manifest.json").is_file()
    found = sorted(folder.rglob("part-*.arrow"))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def complete(output: Path) -> dict[Path, int]:
    """The splits and buckets that are done, and when each was."""
    found = [file for kind in ("split", "bucket") for file in (output / "intermediate").glob(f"{kind}-*.json")]
    return {file: file.stat().st_mtime_ns for file in found}


def until(condition: Callable[[], Any], job: Job, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, job.said
        time.sleep(0.05)


def said_by_others(job: Job) -> list[str]:
    """Lines of the log that are not the pipeline's or the script's, but for what Slurm says on every start here."""
    ours = ("preprocessing: ", "extract: ", "build shards: ", str(job.cluster.folder))
    return [line for line in job.said.splitlines() if line != OF_THE_TESTS_SLURM and not line.startswith(ours)]


def test_two_nodes_make_what_one_machine_makes(cluster: Cluster, inputs: Path, expected: Mapping[str, str]) -> None:
    """Also where an earlier job of the same number left the address of its scheduler, and the log is clean."""
    output = cluster.folder / "undisturbed"
    left = []
    for number in range(cluster.first_job, cluster.first_job + 8):  # the job's will be one of these
        meeting = cluster.repository / f".preprocess-{number}" / "dask-abcdefgh"
        meeting.mkdir(parents=True)
        (meeting / "scheduler.json").write_text('{"address": "tls://10.255.255.1:8786"}')
        left.append(meeting.parent)
    try:
        job = cluster.submit(*arguments(inputs, output), script="preprocess.sbatch", resources=ON_TWO)
        now = job.wait()
    finally:
        of_the_job = cluster.repository / f".preprocess-{job.number}"
        assert of_the_job in left
        assert not of_the_job.exists(), "the job's own files are gone with it"
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("COMPLETED", "0:0", "0"), job.said
    assert shards_in(output) == expected
    assert said_by_others(job) == []


def worker_killed(cluster: Cluster, job: Job) -> None:
    """As by the kernel when memory runs out."""
    workers = [
        process
        for node in cluster.nodes
        for process in cluster.processes_on(node)
        if "multiprocessing.spawn" in " ".join(process.cmdline())
    ]
    assert len(workers) == 2, "one on each node"
    workers[0].kill()


def other_node_lost(cluster: Cluster, job: Job) -> None:
    now = job.now()
    names = cluster.ask("scontrol", "show", "hostnames", now["NodeList"]).split()
    cluster.crash(next(name for name in names if name != now["BatchHost"]))


def first_node_lost(cluster: Cluster, job: Job) -> None:
    cluster.crash(job.now()["BatchHost"])


def requeued_by_its_user(cluster: Cluster, job: Job) -> None:
    cluster.ask("scontrol", "requeue", job.number)


def out_of_time(cluster: Cluster, job: Job) -> None:
    cluster.ask("scancel", "--batch", "--signal=USR1", job.number)


def preempted(cluster: Cluster, job: Job) -> None:
    cluster.ask("sbatch", "--partition=high", "--nodes=3", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")


FAULTS = {
    "worker killed": (worker_killed, "0"),
    "other node lost": (other_node_lost, "0"),
    "first node lost": (first_node_lost, "1"),
    "requeued by its user": (requeued_by_its_user, "1"),
    "out of time": (out_of_time, "1"),
    "preempted": (preempted, "1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_job_that_is_hurt_ends_with_the_same_bytes(
    cluster: Cluster, inputs: Path, expected: Mapping[str, str], fault: str
) -> None:
    hurt, restarts = FAULTS[fault]
    output = cluster.folder / fault.replace(" ", "-")
    job = cluster.submit(*arguments(inputs, output), script="preprocess.sbatch", resources=ON_TWO, variables=VARIABLES)
    until(lambda: len(complete(output)) >= 5, job)
    hurt(cluster, job)
    before = complete(output)
    assert not (output / "manifest.json").exists(), "it was over before it was hurt"
    now = job.wait()
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("COMPLETED", "0:0", restarts), job.said
    assert shards_in(output) == expected
    after = complete(output)
    assert {file: after[file] for file in before} == before, "what was complete was made again"
    assert "Traceback" not in job.said
    for node in cluster.nodes:
        if not cluster.processes_on(node):
            cluster.boot(node)
    until(cluster.all_idle, job)


def test_a_job_that_its_user_cancels_does_not_come_back(cluster: Cluster, inputs: Path) -> None:
    output = cluster.folder / "cancelled"
    job = cluster.submit(*arguments(inputs, output), script="preprocess.sbatch", resources=ON_TWO)
    until(lambda: complete(output), job)
    cluster.ask("scancel", job.number)
    until(cluster.all_idle, job)
    time.sleep(6)  # a requeued job would start again after five
    now = job.now()
    assert (now["JobState"], now["Restarts"]) == ("CANCELLED", "0"), job.said
    shutil.rmtree(cluster.repository / f".preprocess-{job.number}")


def test_another_pipeline_on_one_node(cluster: Cluster, inputs: Path) -> None:
    words = ["--sentences", inputs / "lines.txt", "--vocabulary-size", "300", "--output", cluster.folder / "vocabulary"]
    variables = {"PIPELINE": "preprocessing/vocabulary.py"}
    job = cluster.submit(*words, script="preprocess.sbatch", resources=ON_ONE, variables=variables)
    now = job.wait()
    assert (now["JobState"], now["ExitCode"]) == ("COMPLETED", "0:0"), job.said
    assert len((cluster.folder / "vocabulary" / "vocab.txt").read_text().splitlines()) == 300


def test_a_mistake_ends_the_job_with_one_sentence(cluster: Cluster, inputs: Path) -> None:
    words = [*arguments(inputs, cluster.folder / "mistake"), "--sequence-lenghts", "64"]
    job = cluster.submit(*words, script="preprocess.sbatch", resources=ON_ONE)
    now = job.wait()
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("FAILED", "2:0", "0"), job.said
    lines = [line for line in job.said.splitlines() if not line.startswith("srun: ")]
    assert len(lines) == 1, job.said
    assert "did you mean --sequence-lengths?" in lines[0]
