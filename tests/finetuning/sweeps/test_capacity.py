"""How many runs a machine bears at once."""

import pytest

from finetuning.sweeps.capacity import available_cores, available_memory, cpu_slots, gpu_slots


@pytest.mark.parametrize(
    ("cores", "memory", "model", "jobs", "count", "threads"),
    [
        (8, 64 << 30, 0, None, 8, "1"),
        (8, 6 << 30, 400 << 20, None, 2, "4"),  # 1 GiB and five times the weights each
        (2, 1 << 20, 400 << 20, None, 1, "2"),
        (8, 64 << 30, 0, 3, 3, "2"),
    ],
)
def test_as_many_runs_as_cores_and_memory_bear(cores, memory, model, jobs, count, threads):
    slots = cpu_slots(cores, memory, model, jobs)
    assert [slot.environment["OMP_NUM_THREADS"] for slot in slots] == [threads] * count


def test_each_gpu_gets_its_share():
    devices = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(["2", "5"], 8, 4)]
    assert devices == ["2", "5", "2", "5"]
    assert len(gpu_slots(["0", "1", "2"], 8)) == 3


@pytest.mark.parametrize(
    ("given", "cores", "memory"),
    [
        ({"SLURM_CPUS_ON_NODE": "1", "SLURM_MEM_PER_CPU": "3"}, 1, 3 << 20),
        ({"SLURM_CPUS_ON_NODE": "1", "SLURM_MEM_PER_NODE": "5"}, 1, 5 << 20),
        ({"SLURM_CPUS_ON_NODE": "100000", "SLURM_MEM_PER_NODE": "0"}, None, None),
        ({}, None, None),
    ],
)
def test_a_job_gets_no_more_than_slurm_gave_it(monkeypatch: pytest.MonkeyPatch, given, cores, memory):
    for name in ("CPUS_ON_NODE", "MEM_PER_CPU", "MEM_PER_NODE"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    everything = available_cores()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert available_cores() == (cores or everything)
    found = available_memory()
    assert found == memory if memory else found > 1 << 26
