"""Ranks that do not come, fall silent or fail, in threads with a store of one process."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch.distributed as dist

from cluster.checks import clocks
from cluster.checks.meeting import Finding, Meeting, ToldToEndError, missing
from cluster.errors import ClusterError

HOSTS = ("n1", "n1", "n2", "n3")


@pytest.fixture
def meetings() -> list[Meeting]:
    """Four ranks on three nodes."""
    store = dist.HashStore()
    return [Meeting(rank, HOSTS, store, patience=0.2) for rank in range(4)]


def finding(rank: int) -> Finding:
    return Finding(host=HOSTS[rank], rank=rank)


def test_rank_0_gets_the_findings_in_their_order(meetings: list[Meeting]) -> None:
    for rank in (3, 1, 2):
        assert meetings[rank].gather("x", finding(rank)) == []
    assert meetings[0].gather("x", finding(0)) == [finding(rank) for rank in range(4)]
    assert meetings[0].leaders == (0, 2, 3)
    assert meetings[1].gather("y", None, meetings[1].leaders) == []
    for rank in (2, 3):
        meetings[rank].gather("y", finding(rank), meetings[rank].leaders)
    assert [found.rank for found in meetings[0].gather("y", finding(0), meetings[0].leaders)] == [0, 2, 3]


def test_a_silent_rank_is_named(meetings: list[Meeting]) -> None:
    meetings[1].gather("memory", finding(1))
    with pytest.raises(
        ClusterError, match=r"^n2 and n3: ranks 2 and 3 came, but gave no answer for 0.2 s in the check of"
    ):
        meetings[0].gather("memory", finding(0))
    with pytest.raises(ClusterError, match=r"^n2: rank 2 came, but gave no answer for 0.2 s in the check of clocks"):
        meetings[0].receive("clocks/2", 2, "clocks")


def test_a_rank_that_failed_is_named_with_its_reason(meetings: list[Meeting]) -> None:
    meetings[2].fail("CUDA error: uncorrectable ECC error")
    with pytest.raises(ClusterError, match=r"^n2: rank 2 could not go on \(CUDA error: uncorrectable ECC error\)$"):
        meetings[0].gather("matrices", finding(0))


def test_what_rank_0_says_and_that_it_has_ended(meetings: list[Meeting]) -> None:
    meetings[0].share("one", [1, "a"])
    assert meetings[3].share("one") == [1, "a"]
    meetings[0].end(["one", "two"])
    assert meetings[3].share("one") == [1, "a"]
    with pytest.raises(ToldToEndError):
        meetings[3].share("two")
    with pytest.raises(ClusterError, match="rank 3 lost sight of rank 0"):
        meetings[3].share("three")


def test_clocks_of_one_machine(meetings: list[Meeting]) -> None:
    patient = [Meeting(meeting.rank, HOSTS, meeting.store, patience=60.0) for meeting in meetings]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(clocks.measure, patient))
    assert found[1] is None
    seen = [clock for clock in found if clock is not None]
    assert [clock.host for clock in seen] == ["n1", "n2", "n3"]
    assert all(abs(clock.ahead) <= clock.round_trip for clock in seen)


@pytest.mark.parametrize(
    ("here", "nodes", "sentence"),
    [
        (
            {0: "n1", 1: "n1"},
            ["n1", "n2"],
            "n2: ranks 2 and 3 of 4 did not come within 9 s, and no rank came from there;",
        ),
        ({0: "n1", 1: "n1", 3: "n2"}, ["n1", "n2"], "rank 2 of 4 did not come within 9 s; ranks came from n1 and n2;"),
        ({0: "n1", 1: "n1"}, [], "ranks 2 and 3 of 4 did not come within 9 s; ranks came from n1;"),
    ],
)
def test_missing(here: dict[int, str], nodes: list[str], sentence: str) -> None:
    assert missing(here, 4, nodes, 9.0).startswith(sentence)


def test_what_to_leave_out_can_be_copied() -> None:
    assert "`--exclude=n2,n3`" in missing({0: "n1"}, 3, ["n1", "n2", "n3"], 9.0)
