"""How many runs a machine bears at once."""

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweeps.capacity import (
    available_cores,
    available_memory,
    cpu_slots,
    gpu_slots,
    machine_slots,
    weight_bytes,
    weight_files,
)


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


def test_memory_is_shared_to_the_byte():
    need = (1 << 30) + 5 * 1000  # Python and torch; weights, gradients, two moments, activations
    for runs, memory in ((1, 2 * need - 1), (2, 2 * need), (2, 3 * need - 1), (3, 3 * need)):
        slots = cpu_slots(3, memory, 1000)
        assert len(slots) == runs
        threads = str(3 // runs)
        assert dict(slots[0].environment) == {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        assert slots[0].device is None


def test_more_runs_than_cores_have_a_thread_each():
    assert {slot.environment["OMP_NUM_THREADS"] for slot in cpu_slots(2, 1 << 40, 0, 5)} == {"1"}
    slots = gpu_slots(["a", "b"], 2, 5)
    assert [slot.device for slot in slots] == ["a", "b", "a", "b", "a"]
    assert {slot.environment["OMP_NUM_THREADS"] for slot in slots} == {"1"}
    assert {slot.environment["OMP_NUM_THREADS"] for slot in gpu_slots(["a", "b"], 9)} == {"4"}


def test_the_weights_of_a_folder_are_its_weight_files(tmp_path):
    for name, size in (("model.safetensors", 5), ("pytorch_model-1.bin", 7), ("training_args.bin", 100), ("a.txt", 9)):
        (tmp_path / name).write_bytes(b"x" * size)
    assert [path.name for path in weight_files(str(tmp_path))] == ["model.safetensors", "pytorch_model-1.bin"]
    assert weight_bytes(str(tmp_path)) == 12
    assert weight_files(f"random:{tmp_path}/config.json") == []


def test_a_machine_with_gpus_runs_one_on_each_and_one_without_as_many_as_it_bears(monkeypatch, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, size in ((small, 10), (large, 1 << 20)):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"x" * size)
    monkeypatch.setattr("finetuning.sweeps.capacity.available_cores", lambda: 4)
    monkeypatch.setattr("finetuning.sweeps.capacity.available_memory", lambda: 3 * ((1 << 30) + 5 * (1 << 20)) - 1)
    for visible, devices in (("3,1", ["3", "1"]), ("0, ,-1", ["0"]), ("", [None] * 2), ("-1", [None] * 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [slot.device for slot in machine_slots([str(large), str(small)])] == devices
    assert len(machine_slots([str(small)], jobs=1)) == 1
    for jobs in (0, -1):
        with pytest.raises(FinetuningError, match=f"--jobs {jobs}: at least one run at once is needed"):
            machine_slots([str(small)], jobs=jobs)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert [slot.device for slot in machine_slots([str(small)])] == ["0", "1", "2"]


def test_what_slurm_says_of_cores_and_memory(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(6)))
    for given, cores in (("4", 4), ("6", 6), ("9", 6), ("0", 1), ("", 6), ("4(x2)", 6)):
        monkeypatch.setenv("SLURM_CPUS_ON_NODE", given)
        assert available_cores() == cores
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "3")
    for node, core, expected in (("", "5", 15 << 20), ("7", "5", 7 << 20), ("0", "2", 6 << 20)):
        monkeypatch.setenv("SLURM_MEM_PER_NODE", node)
        monkeypatch.setenv("SLURM_MEM_PER_CPU", core)
        assert available_memory() == expected
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"):
        monkeypatch.delenv(name)
    assert available_memory() > 1 << 20


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/meminfo": "MemTotal: 90 kB\nMemAvailable:   40 kB\n"}, 40 << 10),
        ({"proc/meminfo": "MemTotal: 90 kB\n"}, 7 * 11),
        ({}, 7 * 11),
        ({"proc/meminfo": "MemAvailable: 40 kB\n", "memory.max": "9000\n", "memory.current": "1000\n"}, 8000),
        ({"proc/meminfo": "MemAvailable: 4 kB\n", "memory.max": "9000\n", "memory.current": "1000\n"}, 4096),
        ({"proc/meminfo": "MemAvailable: 4 kB\n", "memory.max": "max\n", "memory.current": "1000\n"}, 4096),
        ({"proc/meminfo": "MemAvailable: 4 kB\n", "memory.max": "9000\n"}, 4096),
        ({"proc/meminfo": "MemAvailable: 4 kB\n", "memory.current": "9000\n"}, 4096),
        ({"proc/meminfo": "MemAvailable: 4 kB\n", "memory.max": "900\n", "memory.current": "1000\n"}, 0),
    ],
)
def test_free_memory_is_what_kernel_and_control_group_leave(files, expected, monkeypatch, tmp_path):
    for name, text in files.items():
        path = tmp_path / (name if "/" in name else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("CPUS_ON_NODE", "MEM_PER_CPU", "MEM_PER_NODE"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    monkeypatch.setattr("finetuning.sweeps.capacity.Path", lambda name: tmp_path / name.lstrip("/"))
    monkeypatch.setattr("os.sysconf", {"SC_AVPHYS_PAGES": 7, "SC_PAGE_SIZE": 11}.__getitem__)
    assert available_memory() == expected
