"""What is said about failures that libraries raise."""

import pytest
import torch

from pretraining.errors import memory_shortage


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nmore lines"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_memory_that_ran_out_is_one_sentence(error: BaseException) -> None:
    found = memory_shortage(error)
    assert found is not None
    assert found.exit_code == 2
    assert "set a smaller training.micro_batch_size" in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(28, "no space"), ValueError("out of memory")])
def test_other_failures_are_not_about_memory(error: BaseException) -> None:
    assert memory_shortage(error) is None
