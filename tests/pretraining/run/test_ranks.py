"""Ranks from torch-style variables, from Slurm's, or alone."""

import pytest

from pretraining.errors import PretrainingError
from pretraining.run.ranks import (
    RankEnvironment,
    first_host,
    gpu_of,
    read_environment,
    slurm_start,
    threads_of_rank,
)


def test_torch_style() -> None:
    variables = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node1", "MASTER_PORT": "1234"}
    found = read_environment({**variables, "SLURM_PROCID": "9", "SLURM_NTASKS": "16"})
    assert (found.rank, found.world_size, found.local_rank) == (3, 4, 1)
    assert (found.master_address, found.master_port) == ("node1", 1234)


def test_a_single_rank_takes_its_launchers_port_only_where_the_launcher_listens() -> None:
    alone = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_PORT": "29500"}
    assert read_environment(alone).master_port != 29500
    assert read_environment({**alone, "TORCHELASTIC_USE_AGENT_STORE": "True"}).master_port == 29500


def test_slurm() -> None:
    variables = {
        "SLURM_PROCID": "5",
        "SLURM_NTASKS": "8",
        "SLURM_LOCALID": "1",
        "SLURM_NODEID": "1",
        "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
        "SLURM_STEP_NODELIST": "gpu[007-008]",
        "SLURM_JOB_ID": "4711",
    }
    found = read_environment(variables)
    assert (found.rank, found.world_size, found.local_rank, found.local_world_size) == (5, 8, 1, 4)
    assert found.master_address == "gpu007"
    restarted = read_environment({**variables, "SLURM_RESTART_COUNT": "1"})
    assert restarted.master_port != found.master_port
    assert read_environment({**variables, "MASTER_PORT": "77"}).master_port == 77


def test_the_start_of_a_job() -> None:
    assert slurm_start({}) is None
    assert slurm_start({"SLURM_JOB_ID": "4711"}) == "4711.0"
    assert slurm_start({"SLURM_JOB_ID": "4711", "SLURM_RESTART_COUNT": "2"}) == "4711.2"


def test_alone() -> None:
    found = read_environment({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"})
    assert (found.rank, found.world_size) == (0, 1)
    exported: dict[str, str] = {}
    found.export(exported)
    assert exported["MASTER_ADDR"] == "127.0.0.1"
    assert exported["LOCAL_RANK"] == "0"


@pytest.mark.parametrize(
    ("nodes", "host"),
    [("gpu[003-006,9],cpu1", "gpu003"), ("n1,n2", "n1"), ("a[1,5]", "a1"), ("n1-ib", "n1-ib"), ("r[1-2]-x", "r1-x")],
)
def test_first_host(nodes: str, host: str) -> None:
    assert first_host(nodes) == host


def test_not_a_number() -> None:
    with pytest.raises(PretrainingError, match="RANK is 'one'"):
        read_environment({"RANK": "one", "WORLD_SIZE": "2"})


@pytest.mark.parametrize(("visible", "gpu"), [(8, 3), (4, 3), (1, 0)])
def test_the_gpu_of_a_rank(visible: int, gpu: int) -> None:
    """One visible GPU is that of `srun --gpus-per-task=1`."""
    assert gpu_of(RankEnvironment(11, 16, 3, 8, "n1", 20000), visible) == gpu


def test_more_ranks_than_gpus() -> None:
    with pytest.raises(PretrainingError, match="number 3 on its node, which shows it 2 GPUs"):
        gpu_of(RankEnvironment(11, 16, 3, 8, "n1", 20000), 2)


@pytest.mark.parametrize(
    ("asked", "environment", "threads"),
    [
        (None, {}, 4),  # 16 cores, 4 ranks
        (None, {"OMP_NUM_THREADS": "3"}, 3),
        (None, {"OMP_NUM_THREADS": " 1 "}, 1),
        (2, {"OMP_NUM_THREADS": "3"}, 2),
        # What OpenMP itself would not take for one number of threads.
        *((None, {"OMP_NUM_THREADS": text}, 4) for text in ("", "0", "-1", "4,2", "many", "1.5", "²")),
    ],
)
def test_threads_are_the_recipes_then_the_environments_then_a_share_of_the_cores(
    asked: int | None, environment: dict[str, str], threads: int
) -> None:
    assert threads_of_rank(asked, 16, 4, environment) == threads


def test_a_rank_has_one_thread_at_least() -> None:
    assert threads_of_rank(None, 2, 8, {}) == 1
