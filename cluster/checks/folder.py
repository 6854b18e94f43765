"""The run's folder: room on its disk, and one file system that every node writes to and sees."""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from cluster.checks.hosts import named
from cluster.checks.meeting import Finding, Meeting

GIB = 2**30
SECONDS_TO_APPEAR = 10.0
"""Network file systems show a new file to other nodes with a delay."""
BYTES = 2**20


class Folder(Finding):
    """What one node saw of the run's folder; `error` is the system's reason why it could not write there."""

    free_gib: float = 0.0
    sees_rank_0: bool = False
    seen_by_rank_0: bool = False
    error: str = ""


def measure(meeting: Meeting, output: Path) -> list[Folder]:
    """Rank 0 writes a file, every node looks for it and writes its own, rank 0 looks for those and removes all.

    The findings of all nodes on rank 0, elsewhere an empty list. Collective.
    """
    place, error = output / f".preflight-{time.time_ns()}", ""
    if meeting.rank == 0:
        error = write(place, 0, make=True)
        meeting.share("folder", [str(place), error])
    else:
        said, error = meeting.share("folder")
        place = Path(said)
    finding = None
    if meeting.rank in meeting.leaders:
        finding = visit(Folder(host=meeting.host, rank=meeting.rank, error=error), place)
    findings = meeting.gather("folder", finding, meeting.leaders)
    findings = [
        found.model_copy(
            update={"seen_by_rank_0": found.sees_rank_0 and not found.error and appears(place, found.rank)}
        )
        for found in findings
    ]
    if meeting.rank == 0:
        shutil.rmtree(place, ignore_errors=True)
    return findings


def visit(finding: Folder, place: Path) -> Folder:
    """What a node sees of `place`, where rank 0 has written; it writes its own file beside."""
    if finding.error:  # rank 0 could not write, so there is nothing to see
        return finding
    if not appears(place, 0):
        return finding
    try:
        free = shutil.disk_usage(place).free / GIB
    except OSError as error:
        return finding.model_copy(update={"sees_rank_0": True, "error": str(error.strerror)})
    error_here = write(place, finding.rank) if finding.rank else ""
    return finding.model_copy(update={"sees_rank_0": True, "free_gib": free, "error": error_here})


def write(place: Path, rank: int, *, make: bool = False) -> str:
    """Writes the file of `rank`, a mebibyte, down to the disk; the system's reason where that is not possible."""
    try:
        if make:
            place.mkdir(parents=True)
        with (place / f"rank{rank}").open("wb") as file:
            file.write(rank.to_bytes(8, "little") * (BYTES // 8))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return str(error.strerror)
    return ""


def appears(place: Path, rank: int, seconds: float = SECONDS_TO_APPEAR) -> bool:
    """Whether the whole file of `rank` is there within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if (place / f"rank{rank}").read_bytes() == rank.to_bytes(8, "little") * (BYTES // 8):
                return True
        except OSError:
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def faults(findings: Sequence[Folder], output: Path, needed_gib: float) -> list[str]:
    """A sentence for a folder that cannot be written, is not shared, or lies on a disk that is too full."""
    hosts, first = [finding.host for finding in findings], findings[0]
    if first.error:
        return [_unwritable(first.host, output, first.error)]
    sentences = []
    for finding in findings:
        if finding.sees_rank_0 and finding.error:
            sentences.append(_unwritable(finding.host, output, finding.error))
    blind = [finding.host for finding in findings if not finding.sees_rank_0]
    if blind:
        sentences.append(
            f"{named(blind, hosts)}: what {first.host} wrote to {output} is not seen there; give a folder on a file "
            "system that all nodes share, or mount it there"
        )
    unseen = [found.host for found in findings if found.sees_rank_0 and not found.error and not found.seen_by_rank_0]
    if unseen:
        sentences.append(
            f"{named(unseen, hosts)}: what was written to {output} there is not seen by {first.host}; give a folder on "
            "a file system that all nodes share, or mount it there"
        )
    full = [found for found in findings if found.sees_rank_0 and not found.error and found.free_gib < needed_gib]
    if full:
        least = min(found.free_gib for found in full)
        sentences.append(
            f"{named([found.host for found in full], hosts)}: {least:.1f} GiB are free in {output} and {needed_gib:g} "
            "needed; remove what is not needed there, or give another folder"
        )
    return sentences


def summary(findings: Sequence[Folder], output: Path) -> str:
    """The room that is left."""
    hosts = [finding.host for finding in findings]
    least = min(found.free_gib for found in findings)
    return f"{least:.1f} GiB free in {output}, written and seen by {named(hosts, hosts)}"


def _unwritable(host: str, output: Path, reason: str) -> str:
    return f"{host}: {output} cannot be written ({reason}); mend that, or give a folder that every node may write to"
