"""All checks in their order, and what they found."""

import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist

from cluster.checks import clocks, folder, matrices, memory, pairs, shards, sums, versions
from cluster.checks.hosts import distinct, host_name, listed, nodes_of_job
from cluster.checks.meeting import Meeting, ToldToEndError, join
from cluster.checks.options import Options
from cluster.errors import ClusterError

POINTS = ("hosts", "alike", "added", "folder", "verdict")
"""Where the other ranks wait for a word of rank 0."""


@dataclass
class Report:
    """`faults`, `left_out`: a sentence each, `lines`: a check's name and figures, all on rank 0 only. "
    "`is_well` on all."""

    rank: int
    faults: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    is_well: bool = False

    def add(self, name: str, faults: Sequence[str], summary: Callable[[], str]) -> None:
        """What came of one check; its figures only where it found no fault."""
        self.faults += faults
        if not faults:
            self.lines.append((name, summary()))


def run(options: Options) -> Report:
    """Every check, on every rank; which rank this is stands in the environment, as for pretraining.

    Raises `ClusterError` where the ranks do not meet. A rank that fails or falls silent later is a fault.
    """
    from pretraining.errors import PretrainingError
    from pretraining.run.ranks import gpu_of, read_environment

    place = read_environment()
    report = Report(place.rank)
    where = (place.rank, place.world_size, place.master_address, place.master_port)
    try:
        meeting = join(*where, host_name(), nodes_of_job(), options.timeout)
    except ToldToEndError:
        return report
    started = time.monotonic()
    try:
        gpu = gpu_of(place, torch.cuda.device_count()) if torch.cuda.is_available() else None
        _examine(meeting, options, _prepared(gpu, meeting), report)
        report.is_well = meeting.share("verdict", not report.faults)
    except ToldToEndError:
        return report
    except Exception as error:
        if not isinstance(error, ClusterError | PretrainingError):
            traceback.print_exc()
        if meeting.rank != 0:
            meeting.fail(str(error) or type(error).__name__)
            raise ClusterError(str(error)) from error
        meeting.end(POINTS)
        at_fault = "" if isinstance(error, ClusterError) else f"{meeting.host}: rank 0 could not go on: "
        report.faults.append(f"{at_fault}{error}")
    report.lines.append(("all of it", f"{time.monotonic() - started:.1f} s after all ranks had come"))
    meeting.part()
    if report.is_well:  # after a fault, torch might wait here for ranks that do not come
        dist.destroy_process_group()
    return report


def _prepared(gpu: int | None, meeting: Meeting) -> torch.device:
    """This rank's GPU, or the CPU with its part of the cores."""
    if gpu is not None:
        torch.cuda.set_device(gpu)
        return torch.device("cuda", gpu)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // meeting.hosts.count(meeting.host)))
    return torch.device("cpu")


def _examine(meeting: Meeting, options: Options, device: torch.device, report: Report) -> None:
    first, host, rank = meeting.rank == 0, meeting.host, meeting.rank
    clock = meeting.gather("clocks", clocks.measure(meeting), meeting.leaders)
    ranks = meeting.gather("versions", versions.measure(host, rank, device))
    free_here = memory.measure_free(host, rank, device, meeting.hosts.count(host))
    free = meeting.gather("free memory", free_here)
    if first:
        nodes = distinct(meeting.hosts)
        report.lines.append(
            ("ranks", f"{len(ranks)} on {len(nodes)} {'nodes' if len(nodes) > 1 else 'node'}: {listed(nodes)}")
        )
        report.add("versions", versions.faults(ranks), lambda: versions.summary(ranks))
        report.add("clocks", clocks.faults(clock, options.clock_seconds), lambda: clocks.summary(clock))
    alike = meeting.share("alike", first and versions.can_add_up(ranks))

    products = meeting.gather("matrices", matrices.measure(host, rank, device))
    patterns = meeting.gather("memory", memory.measure(free_here, device, options.memory_gib))
    torch.cuda.empty_cache()  # NCCL takes its memory past torch's; does nothing without a GPU
    if first:
        report.add("matrices", matrices.faults(products, options.slow_device), lambda: matrices.summary(products))
        found = memory.faults(free, patterns, options.memory_gib)
        report.add("memory", found, lambda: memory.summary(free, patterns))

    if alike:
        _add_up(meeting, options, device, report)
    elif first:
        report.left_out.append("sums over the ranks and between nodes were not tried, as the ranks are too unlike")

    if options.output is not None:
        output = options.output
        nodes_see = folder.measure(meeting, output)
        if first:
            found = folder.faults(nodes_see, output, options.disk_gib)
            report.add("output", found, lambda: folder.summary(nodes_see, output))
    if options.shards:
        seen = meeting.gather("shards", shards.measure(meeting, options.shards, options.shard_mib))
        if first:
            report.add("shards", shards.faults(seen), lambda: shards.summary(seen))


def _add_up(meeting: Meeting, options: Options, device: torch.device, report: Report) -> None:
    added = meeting.gather("sums", sums.measure(meeting, device, options.exchange_mib))
    if meeting.rank == 0:
        report.add("sum", sums.faults(added), lambda: sums.summary(added))
    if meeting.share("added", not any(finding.error for finding in added)):
        met = meeting.gather("pairs", pairs.measure(meeting, device, options.exchange_mib), meeting.leaders)
        if meeting.rank == 0:
            report.add("pairs", pairs.faults(met, options.slow_node), lambda: pairs.summary(met))
    elif meeting.rank == 0:
        report.left_out.append("pairs of nodes were not tried, as the sum over all ranks failed")
