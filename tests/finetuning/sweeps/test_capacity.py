"""How many runs a machine bears at once."""

import pytest

from finetuning.sweeps.capacity import cpu_slots, gpu_slots


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
