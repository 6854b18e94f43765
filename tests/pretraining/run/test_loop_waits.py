"""How often a pretraining step would make the host wait for a GPU, counted on tensors that stand for those of one."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.waits.counting import DEVICE, counted
from benchmarks.waits.pretraining import PARTS
from pretraining.devices.transfer import sent

ALLOWED = {
    "a logged step": 2,  # figures, and the digest of examples
    "the clock, where time bounds the run": 1,
    "what is looked at before an update at stage 0": 1,
    "an evaluation of three batches": 1,
}
"""Everything else must not wait."""


@pytest.mark.parametrize("part", PARTS)
def test_a_step_waits_for_what_it_must_read_only(part: str) -> None:
    waits = PARTS[part]()
    assert waits.total == ALLOWED.get(part, 0), waits.found


WAITING: dict[str, Callable[[Tensor, Tensor], object]] = {
    "item": lambda there, here: there[0].item(),
    "a branch": lambda there, here: bool(there[0] > 1),
    "tolist": lambda there, here: there.tolist(),
    "to the host": lambda there, here: there.cpu(),
    "to the host without blocking": lambda there, here: there.to("cpu", non_blocking=True),
    "from the host": lambda there, here: here.to(DEVICE),
    "from memory that is not pinned": lambda there, here: here.to(DEVICE, non_blocking=True),
    "from pinned memory, blocking": lambda there, here: here.pin_memory().to(DEVICE),
    "into a tensor": lambda there, here: there.copy_(here),
    "torch.tensor": lambda there, here: torch.tensor([1.0], device=DEVICE),
    "a mask": lambda there, here: there[there > 1],
    "a mask on the left": lambda there, here: there.__setitem__(there > 1, 0.0),
    "repeat_interleave": lambda there, here: torch.repeat_interleave(there.long()),
}


@pytest.mark.parametrize("way", WAITING)
def test_what_waits_is_counted(way: str) -> None:
    with counted() as waits:
        WAITING[way](torch.zeros(3, device=DEVICE), torch.zeros(3))
    assert waits.total == 1, waits.found
    assert next(iter(waits.found)).startswith("tests/pretraining/run/test_loop_waits.py:")


@pytest.mark.parametrize("function", [torch.nonzero, torch.unique, lambda x: x.masked_select(x > 1)])
def test_what_has_no_stand_in_is_counted_too(function: Callable[[Tensor], object]) -> None:
    with counted() as waits, pytest.raises(NotImplementedError):
        function(torch.zeros(3, device=DEVICE))
    assert waits.total == 1


def test_what_does_not_wait_is_not_counted() -> None:
    here = torch.arange(3)
    with counted() as waits:
        there = sent(here, DEVICE)
        torch.full((1,), 2.0, device=DEVICE) + there.sum()
        torch.repeat_interleave(there, there, output_size=3)
        there[there]
        here[here > 1].tolist()
    assert not waits.found


def test_afterwards_torch_is_as_it_was() -> None:
    before = torch.tensor, torch.autocast, torch.cuda.get_device_name
    with counted():
        assert torch.zeros(1, device=DEVICE).is_cuda
    assert (torch.tensor, torch.autocast, torch.cuda.get_device_name) == before
    assert not torch.zeros(1, device=DEVICE).is_cuda
