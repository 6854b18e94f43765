"""The digest of what a run has seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from pretraining.run.ledger import Ledger, extended


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_it_goes_on_wherever_it_is_read() -> None:
    numbers = [5, -(1 << 63), (1 << 64) - 1, 0, 1 << 70]
    whole = extended("", numbers)
    assert len(whole) == 32
    assert extended(extended("", numbers[:2]), numbers[2:]) == whole
    assert extended("", numbers[::-1]) != whole
    assert extended("", numbers[:-1]) != whole


def test_steps_wait_until_it_is_closed() -> None:
    ledger = Ledger("", torch.device("cpu"))
    for number in (3, (1 << 64) - 7, -9):
        ledger.add(number)
    assert ledger.close() == extended("", [3, -7, -9])
    assert ledger.close() == extended("", [3, -7, -9])
    assert Ledger(ledger.close(), torch.device("cpu")).close() == ledger.close()
