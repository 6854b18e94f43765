"""Bytes by stage against those that DeepSpeed sends, and links by their rates."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.planning.cards import card_named
from pretraining.planning.communication import LINK_SHARE, LINKS, bytes_per_second, bytes_per_step, ring
from pretraining.planning.memory import parameter_count


@pytest.mark.slow
def test_deepspeed_sends_what_is_planned(tmp_path: Path, launch: Callable[..., None]) -> None:
    """Two ranks, every stage, one micro-batch and three; padding and small change are left to 2 %."""
    launch(2, Path(__file__).with_name("collective_ranks.py"), str(tmp_path / "found.json"), folder=tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    parameters = parameter_count(BertConfig.named("tiny", vocab_size=1000))
    for stage in range(4):
        for micro_batches in (1, 3):
            sent = found[str(stage)][str(micro_batches)]
            reduced = 2 * ring(2, sent.get("all_reduce", 0)) + ring(2, sent.get("reduce_scatter_tensor", 0))
            gathered = ring(2, sent.get("all_gather_into_tensor", 0))
            planned = bytes_per_step(parameters, stage=stage, ranks=2, micro_batches=micro_batches)
            assert reduced == pytest.approx(planned.reduced, rel=0.02), (stage, micro_batches, sent)
            assert gathered == pytest.approx(planned.gathered, rel=0.02), (stage, micro_batches, sent)
            assert not sent.get("reduce", 0)


def test_one_rank_says_nothing() -> None:
    for stage in range(4):
        assert bytes_per_step(10, stage=stage, ranks=1, micro_batches=2).total == 0


@given(ranks=st.integers(1, 512), micro_batches=st.integers(1, 8), stage=st.integers(0, 3))
def test_more_ranks_send_more_up_to_all_of_it(ranks: int, micro_batches: int, stage: int) -> None:
    here = bytes_per_step(1000, stage=stage, ranks=ranks, micro_batches=micro_batches)
    more = bytes_per_step(1000, stage=stage, ranks=ranks + 1, micro_batches=micro_batches)
    assert here.total <= more.total <= 4000 * (3 * micro_batches)
    half = bytes_per_step(1000, stage=stage, ranks=ranks, micro_batches=micro_batches, value_bytes=2)
    assert half.total == pytest.approx(here.total / 2)


@pytest.mark.parametrize(
    ("card", "ranks", "link", "expected"),
    [
        ("h100-sxm", 8, None, 450e9),  # NVLink, half of both directions
        ("h100-pcie", 2, None, 300e9),  # a bridge joins two
        ("h100-pcie", 8, None, 64e9),  # and no more
        ("l40s", 4, None, 32e9),
        ("h100-sxm", 64, "ib400", 400e9),  # eight adapters a node
        ("h100-sxm", 64, "ib200", 200e9),
        ("h100-sxm", 64, "25gbe", 3.125e9),
        ("h100-sxm", 64, "10gbe", 1.25e9),
        ("t4", 16, "ib400", 16e9),  # PCIe 3 is slower
    ],
)
def test_the_slowest_link_bounds_a_ring(card: str, ranks: int, link: str | None, expected: float) -> None:
    assert bytes_per_second(card_named(card), ranks, 8, link) == pytest.approx(expected * LINK_SHARE)


@pytest.mark.parametrize("link", [None, "ib40"])
def test_several_nodes_need_a_link(link: str | None) -> None:
    with pytest.raises(PretrainingError, match=f"several nodes of 8; name what joins them: {', '.join(LINKS)}"):
        bytes_per_second(card_named("h100"), 16, 8, link)
