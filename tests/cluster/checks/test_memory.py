"""Too little memory, and memory that forgets."""

from pathlib import Path

import torch

from cluster.checks.memory import Free, Pattern, faults, measure, measure_free, room_in_cgroup, summary

CPU = torch.device("cpu")


def test_what_is_written_is_read_back() -> None:
    free = measure_free("n1", 0, CPU, ranks_on_host=1)
    pattern = measure(free, CPU, 0.1)  # two blocks, the second one not full
    assert (pattern.wrong_blocks, pattern.error) == (0, "")
    assert abs(pattern.written_gib - 0.09) < 1e-6
    assert faults([free], [pattern], 0.1) == []
    assert summary([free], [pattern]).startswith("0.09 GiB a rank written and read back, least free ")


def test_too_little_memory_on_a_gpu_is_named_and_nothing_is_written() -> None:
    free = [
        Free(host=host, rank=0, device="GPU 3 (X)", free_gib=gib, shared_by=1) for host, gib in (("n1", 70), ("n2", 9))
    ]
    pattern = measure(free[1], CPU, 60.0)
    assert pattern.written_gib == 0
    (sentence,) = faults(free, [pattern], 60.0)
    assert sentence.startswith("n2, GPU 3 (X): 9.0 GiB of memory are free and 60 GiB needed; see which other programs")


def test_ranks_without_gpus_share_the_memory_of_their_node() -> None:
    free = [Free(host="n1", rank=rank, device="CPU", free_gib=10.0 + rank, shared_by=4) for rank in range(4)]
    assert faults(free, [], 2.0) == []
    (sentence,) = faults(free, [], 4.0)
    assert sentence.startswith("n1: 10.0 GiB of memory are free and 4 times 4 GiB needed;")


def test_memory_that_forgets_and_memory_that_is_not_there_are_named() -> None:
    forgets = Pattern(host="n2", rank=1, device="GPU 0 (X)", written_gib=54.0, wrong_blocks=2)
    refuses = Pattern(host="n3", rank=2, device="GPU 0 (X)", written_gib=0.0, error="out of memory")
    sentences = faults([], [forgets, refuses], 60.0)
    assert sentences[0].startswith("n2, GPU 0 (X): memory did not give back what was written, in 2 blocks of 64 MiB;")
    assert sentences[1].startswith("n3, GPU 0 (X): memory that is said to be free could not be had (out of memory);")


def test_a_control_group_may_allow_less_than_the_machine_has(tmp_path: Path) -> None:
    job = tmp_path / "slurm" / "job_1"
    (job / "step_0").mkdir(parents=True)
    (job / "memory.max").write_text("1000\n")
    (job / "memory.current").write_text("300\n")
    (job / "step_0" / "memory.max").write_text("max\n")
    (job / "step_0" / "memory.current").write_text("200\n")
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/elsewhere\n0::/slurm/job_1/step_0\n")
    assert room_in_cgroup(tmp_path, membership) == 700
    membership.write_text("0::/\n")
    assert room_in_cgroup(tmp_path, membership) == 2**62
    assert room_in_cgroup(tmp_path, tmp_path / "none") == 2**62
