"""One sum over all ranks: is it right everywhere?

The numbers that are added are whole and small enough for float32 to be exact, so a right sum is equal, not close.
"""

import os
import time
from collections.abc import Sequence
from datetime import timedelta

import torch
import torch.distributed as dist

from cluster.checks.hosts import named
from cluster.checks.meeting import Finding, Meeting

PERIOD = 251
"""The numbers repeat with a prime period, so that pieces of equal length that were mixed up are not equal."""
MEBIBYTE = 2**20


class Sum(Finding):
    """One rank's view of the sum: `bytes` were added in `seconds`."""

    bytes: int
    seconds: float = 0.0
    wrong: str = ""
    error: str = ""


def connect(meeting: Meeting, device: torch.device) -> None:
    """Joins the process group: NCCL on GPUs, gloo on the CPU. Collective; a `RuntimeError` of torch where it fails."""
    os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # so that waiting for NCCL ends with the time-out
    store = dist.PrefixStore("group", meeting.store)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=meeting.rank,
        world_size=meeting.world_size,
        timeout=timedelta(seconds=meeting.patience),
    )


def numbers_of(rank: int, count: int) -> torch.Tensor:
    """What a rank adds, float32 [count]: 0, 1, …, 250 over and over, each raised by the rank."""
    return (torch.arange(count) % PERIOD + rank).float()


def difference(found: torch.Tensor, expected: torch.Tensor) -> str:
    """Where `found` is not `expected`, both [count] on the CPU; empty where they are equal."""
    places = (found != expected).nonzero()
    if not len(places):
        return ""
    first = int(places[0])
    return (
        f"{len(places)} of {len(found)} numbers, the first {found[first].item():g} and not {expected[first].item():g}"
    )


def measure(meeting: Meeting, device: torch.device, mib: float) -> Sum:
    """Joins the group and adds `mib` MiB over all ranks, twice: the first time makes the connections, too."""
    count = max(1, int(mib * MEBIBYTE / 4))
    ranks, finding = meeting.world_size, Sum(host=meeting.host, rank=meeting.rank, bytes=4 * count)
    expected = ranks * numbers_of(0, count) + ranks * (ranks - 1) // 2
    wrong, seconds = "", 0.0
    try:
        connect(meeting, device)
        for _ in range(2):
            numbers = numbers_of(meeting.rank, count).to(device)
            started = time.perf_counter()
            dist.all_reduce(numbers)
            found = numbers.cpu()
            seconds = time.perf_counter() - started
            wrong = wrong or difference(found, expected)
    except RuntimeError as error:
        return finding.model_copy(update={"error": first_line(error)})
    return finding.model_copy(update={"wrong": wrong, "seconds": seconds})


def first_line(error: Exception) -> str:
    """What torch says, without the stack that it may add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def faults(findings: Sequence[Sum]) -> list[str]:
    """A sentence where the sum failed, and one where it is wrong."""
    hosts, sentences = [finding.host for finding in findings], []
    failed = [finding for finding in findings if finding.error]
    if failed:
        where = named([finding.host for finding in failed], hosts)
        sentences.append(
            f"{where}: the sum over all ranks failed ({failed[0].error}); see whether the nodes reach each other, and "
            "name the network that they share in NCCL_SOCKET_IFNAME, without GPUs in GLOO_SOCKET_IFNAME"
        )
    wrong = [finding for finding in findings if finding.wrong]
    if wrong:
        where = named([finding.host for finding in wrong], hosts)
        sentences.append(
            f"{where}: the sum over all {len(findings)} ranks is wrong (rank {wrong[0].rank}: {wrong[0].wrong}); leave "
            "out the node that the pairs of nodes name, or try half of the nodes at a time"
        )
    return sentences


def summary(findings: Sequence[Sum]) -> str:
    """Size and bandwidth, counted as NCCL's own tests do: 2 (n − 1) / n times the bytes."""
    ranks, slowest = len(findings), max(finding.seconds for finding in findings)
    if ranks == 1:
        return "one rank"
    bandwidth = 2 * (ranks - 1) / ranks * findings[0].bytes / max(slowest, 1e-9) / 1e9
    return f"{findings[0].bytes / MEBIBYTE:.3g} MiB over {ranks} ranks, right everywhere, {bandwidth:.2f} GB/s"
