"""How far the nodes' clocks are from that of rank 0."""

import time
from collections.abc import Sequence

from cluster.checks.meeting import Finding, Meeting

QUESTIONS = 5
"""The one with the shortest round trip counts."""


class Clock(Finding):
    """A node's clock: `ahead` of rank 0's by so many seconds, known to half the `round_trip`."""

    ahead: float
    round_trip: float


def now() -> float:
    """Seconds since 1970 by this node's clock."""
    return time.time()


def measure(meeting: Meeting) -> Clock | None:
    """Asks rank 0 for its time, node after node; None on the ranks that do not ask. Rank 0 answers all of them."""
    if meeting.rank == 0:
        for leader in meeting.leaders[1:]:
            for question in range(QUESTIONS):
                meeting.receive(f"clocks/{leader}/asks/{question}", leader, "clocks")
                meeting.send(f"clocks/{leader}/told/{question}", repr(now()))
        return Clock(host=meeting.host, rank=0, ahead=0.0, round_trip=0.0)
    if meeting.rank not in meeting.leaders:
        return None
    best = None
    for question in range(QUESTIONS):
        asked = now()
        meeting.send(f"clocks/{meeting.rank}/asks/{question}", "")
        told = float(meeting.receive(f"clocks/{meeting.rank}/told/{question}", 0, "clocks"))
        heard = now()
        clock = Clock(host=meeting.host, rank=meeting.rank, ahead=(asked + heard) / 2 - told, round_trip=heard - asked)
        best = clock if best is None or clock.round_trip < best.round_trip else best
    return best


def faults(findings: Sequence[Clock], limit: float) -> list[str]:
    """A sentence for every clock that is more than `limit` seconds off."""
    return [
        f"{clock.host}: its clock is {abs(clock.ahead):.1f} s {'ahead of' if clock.ahead > 0 else 'behind'} that of "
        f"{findings[0].host}, more than {limit:g} s; set it (chrony or ntp)"
        for clock in findings
        if abs(clock.ahead) > limit
    ]


def summary(findings: Sequence[Clock]) -> str:
    """The worst of the clocks."""
    worst = max(findings, key=lambda clock: abs(clock.ahead))
    if len(findings) == 1:
        return "one node"
    return f"at most {abs(worst.ahead):.4f} s apart ({worst.host}), asked in {worst.round_trip:.4f} s"
