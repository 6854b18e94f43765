"""Whose clock is off."""

from cluster.checks.clocks import Clock, faults, summary


def clock(host: str, ahead: float) -> Clock:
    return Clock(host=host, rank=0, ahead=ahead, round_trip=0.002)


def test_clocks_within_the_limit_are_no_fault() -> None:
    found = [clock("n1", 0.0), clock("n2", -1.9), clock("n3", 0.1)]
    assert faults(found, 2.0) == []
    assert summary(found) == "at most 1.9000 s apart (n2), asked in 0.0020 s"
    assert summary(found[:1]) == "one node"


def test_a_clock_that_is_off_is_named() -> None:
    assert faults([clock("n1", 0.0), clock("n2", 3.0), clock("n3", -61.0)], 2.0) == [
        "n2: its clock is 3.0 s ahead of that of n1, more than 2 s; set it (chrony or ntp)",
        "n3: its clock is 61.0 s behind that of n1, more than 2 s; set it (chrony or ntp)",
    ]
