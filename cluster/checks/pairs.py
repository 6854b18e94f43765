"""Every node with every other: an exchange, its sum, its bandwidth.

One rank a node plays a round-robin tournament: in each round every node has another partner, and all exchange at once,
so 64 nodes take 63 rounds, not 2,016. The exchanges are point to point in the one group of all ranks.
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence

import torch
import torch.distributed as dist
from pydantic import BaseModel, ConfigDict

from cluster.checks.hosts import listed
from cluster.checks.meeting import Finding, Meeting
from cluster.checks.sums import MEBIBYTE, difference, first_line, numbers_of

REPEATS = 3


class Exchange(BaseModel):
    """Two hosts in one round: the better of some timings, in bytes a second and direction."""

    model_config = ConfigDict(frozen=True)

    round: int
    hosts: tuple[str, str]
    bandwidth: float = 0.0
    wrong: str = ""
    error: str = ""


class Exchanges(Finding):
    """What one node saw of its own exchanges."""

    exchanges: tuple[Exchange, ...]


def rounds(players: Sequence[int]) -> list[list[tuple[int, int]]]:
    """A round-robin tournament by the circle method: pairs of each round, where nobody is in two.

    Each pair meets once, the lower place first; with an odd number one player has a rest in each round.
    """
    circle: list[int | None] = [*range(len(players)), *([None] if len(players) % 2 else [])]
    tournament = []
    for _ in range(len(circle) - 1):
        half = len(circle) // 2
        met = zip(circle[:half], reversed(circle[half:]), strict=True)
        tournament.append([(players[min(a, b)], players[max(a, b)]) for a, b in met if a is not None and b is not None])
        circle = [circle[0], circle[-1], *circle[1:-1]]
    return tournament if len(players) > 1 else []


def measure(meeting: Meeting, device: torch.device, mib: float) -> Exchanges | None:
    """This node's exchanges of `mib` MiB with every other; None on the ranks that do not play.

    Ends at the first exchange that fails: later ones would only wait for their time-outs.
    """
    if meeting.rank not in meeting.leaders:
        return None
    count = max(1, int(mib * MEBIBYTE / 4))
    exchanges: list[Exchange] = []
    for number, pairs in enumerate(rounds(meeting.leaders)):
        pair = next((pair for pair in pairs if meeting.rank in pair), None)
        if pair is None:
            continue
        partner = pair[0] if pair[1] == meeting.rank else pair[1]
        base = Exchange(round=number, hosts=(meeting.hosts[pair[0]], meeting.hosts[pair[1]]))
        try:
            exchanges.append(base.model_copy(update=_exchange(meeting.rank, partner, count, device)))
        except RuntimeError as error:
            exchanges.append(base.model_copy(update={"error": first_line(error)}))
            break
    return Exchanges(host=meeting.host, rank=meeting.rank, exchanges=tuple(exchanges))


def _exchange(rank: int, partner: int, count: int, device: torch.device) -> dict[str, float | str]:
    mine = numbers_of(rank, count).to(device)
    theirs = torch.empty_like(mine)
    _both_ways(mine[:1], theirs[:1], partner)  # connects the two, and lets them begin together
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        _both_ways(mine, theirs, partner)
        seconds.append(time.perf_counter() - started)
    expected = numbers_of(rank, count) + numbers_of(partner, count)
    return {"bandwidth": 4 * count / min(seconds), "wrong": difference((mine + theirs).cpu(), expected)}


def _both_ways(mine: torch.Tensor, theirs: torch.Tensor, partner: int) -> None:
    operations = [dist.P2POp(dist.isend, mine, partner), dist.P2POp(dist.irecv, theirs, partner)]
    for work in dist.batch_isend_irecv(operations):
        work.wait()
    if mine.device.type == "cuda":
        torch.cuda.synchronize(mine.device)


def joined(findings: Sequence[Exchanges]) -> list[Exchange]:
    """One entry for each pair, by round: what either of the two saw wrong, and the slower of their figures."""
    pairs: dict[tuple[str, str], Exchange] = {}
    for finding in findings:
        for seen in finding.exchanges:
            other = pairs.get(seen.hosts, seen)
            pairs[seen.hosts] = seen.model_copy(
                update={
                    "bandwidth": min(seen.bandwidth, other.bandwidth),
                    "wrong": seen.wrong or other.wrong,
                    "error": seen.error or other.error,
                }
            )
    return sorted(pairs.values(), key=lambda pair: (pair.round, pair.hosts))


def faults(findings: Sequence[Exchanges], slow: float) -> list[str]:
    """A sentence for every pair that failed first or has a wrong sum, for the node that most of these share, and for
    every node whose bandwidth is below `slow` times the median of all nodes.
    """
    pairs = joined(findings)
    first = min((pair.round for pair in pairs if pair.error), default=None)  # later ones fail because of these
    sentences = [
        f"{listed(pair.hosts)}: the two could not exchange anything ({pair.error}); see whether they reach each other, "
        "or leave one of them out"
        for pair in pairs
        if pair.error and pair.round == first
    ]
    wrong = [pair for pair in pairs if pair.wrong]
    sentences += [
        f"{listed(pair.hosts)}: the sum of what the two exchanged is wrong ({pair.wrong}); look at the node that is "
        "named in most of these, or at the network between them"
        for pair in wrong
    ]
    counts = Counter(host for pair in wrong for host in pair.hosts).most_common(2)
    if len(wrong) > 1 and (len(counts) < 2 or counts[0][1] > counts[1][1]):
        host, count = counts[0]
        sentences.append(
            f"{host}: it is in {count} of the {len(wrong)} pairs with a wrong sum; leave it out (`--exclude={host}`) "
            "and have its memory and network examined"
        )
    if first is None and slow:
        sentences += slow_nodes(bandwidths(pairs), slow)
    return sentences


def bandwidths(pairs: Sequence[Exchange]) -> dict[str, float]:
    """Each node's median bandwidth to the others, bytes a second: of an even number the upper of the two in the middle,
    so that one slow node of three makes none but itself slow.
    """
    of_host: dict[str, list[float]] = {}
    for pair in pairs:
        for host in pair.hosts:
            of_host.setdefault(host, []).append(pair.bandwidth)
    return {host: statistics.median_high(found) for host, found in of_host.items()}


def slow_nodes(of_host: dict[str, float], slow: float) -> list[str]:
    """A sentence for every node below `slow` times the median of all."""
    median = statistics.median(of_host.values()) if of_host else 0.0
    return [
        f"{host}: {bandwidth / 1e9:.3g} GB/s to the other nodes, {bandwidth / median:.0%} of the median of all "
        f"({median / 1e9:.3g}); see its network (cable, port, a fallback to TCP: NCCL_DEBUG=INFO), or leave it out "
        f"(`--exclude={host}`)"
        for host, bandwidth in of_host.items()
        if bandwidth < slow * median
    ]


def summary(findings: Sequence[Exchanges]) -> str:
    """Median and slowest pair."""
    pairs = joined(findings)
    if not pairs:
        return "one node"
    slowest = min(pairs, key=lambda pair: pair.bandwidth)
    median = statistics.median(pair.bandwidth for pair in pairs)
    return (
        f"{len(pairs)} between nodes, each sum right, median {median / 1e9:.2f} GB/s each way, slowest "
        f"{slowest.bandwidth / 1e9:.2f} ({listed(slowest.hosts)})"
    )
