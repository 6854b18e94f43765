"""Memory: is there as much as the run needs, and does it give back what was written?"""

from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from cluster.checks.matrices import device_name
from cluster.checks.meeting import Finding

GIB = 2**30
BLOCK = 2**24
"""Numbers (int32) in a block, 64 MiB."""
WRITTEN = 0.9
"""Of what a rank needs; the rest is for what the check itself takes."""


class Free(Finding):
    """What is free before anybody takes any: of the GPU, or of the node, which the ranks on it share."""

    device: str
    free_gib: float
    shared_by: int


class Pattern(Finding):
    """What came of writing and reading back."""

    device: str
    written_gib: float
    wrong_blocks: int = 0
    error: str = ""


def measure_free(host: str, rank: int, device: torch.device, ranks_on_host: int) -> Free:
    """Free memory, in GiB."""
    if device.type == "cuda":
        free, shared_by = torch.cuda.mem_get_info(device)[0], 1
    else:
        free, shared_by = min(psutil.virtual_memory().available, room_in_cgroup()), ranks_on_host
    return Free(host=host, rank=rank, device=device_name(device), free_gib=free / GIB, shared_by=shared_by)


def room_in_cgroup(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that control groups (version 2) still allow this process: what Slurm or a container limits it to."""
    room = 2**62
    if not membership.is_file():
        return room
    name = next((line[3:] for line in membership.read_text().splitlines() if line.startswith("0::")), "/")
    folder = root / name.lstrip("/")
    for group in (folder, *folder.parents):
        limit, used = group / "memory.max", group / "memory.current"
        if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
            room = min(room, max(0, int(text) - int(used.read_text())))
        if group == root:
            break
    return room


def is_enough(free: Free, needed_gib: float) -> bool:
    """Whether every rank that shares this memory can have what it needs."""
    return free.free_gib >= needed_gib * free.shared_by


def measure(free: Free, device: torch.device, needed_gib: float) -> Pattern:
    """Writes another pattern into every block, then reads all of them; nothing where there is not enough."""
    host, rank, name = free.host, free.rank, free.device
    if not is_enough(free, needed_gib):
        return Pattern(host=host, rank=rank, device=name, written_gib=0.0)
    blocks: list[torch.Tensor] = []
    wanted = int(WRITTEN * needed_gib * GIB / 4)
    try:
        counting = torch.arange(BLOCK, dtype=torch.int32, device=device)
        while wanted > 0:
            block = counting[: min(wanted, BLOCK)] + len(blocks)
            wanted -= block.numel()
            blocks.append(block)
        wrong = sum(
            not torch.equal(block.sub_(number), counting[: block.numel()]) for number, block in enumerate(blocks)
        )
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        text = str(error).splitlines()[0]
        return Pattern(host=host, rank=rank, device=name, written_gib=0.0, error=text)
    written = sum(block.numel() for block in blocks) * 4 / GIB
    return Pattern(host=host, rank=rank, device=name, written_gib=written, wrong_blocks=wrong)


def faults(free: Sequence[Free], patterns: Sequence[Pattern], needed_gib: float) -> list[str]:
    """A sentence for every device, or node, with too little memory or with memory that forgets."""
    sentences: dict[str, None] = {}  # ranks on a node without GPUs say the same
    for finding in free:
        if not is_enough(finding, needed_gib):
            place = f"{finding.host}, {finding.device}" if finding.device != "CPU" else finding.host
            needed = (
                f"{needed_gib:g} GiB" if finding.shared_by == 1 else f"{finding.shared_by} times {needed_gib:g} GiB"
            )
            low = min(other.free_gib for other in free if (other.host, other.device) == (finding.host, finding.device))
            sentences[
                f"{place}: {low:.1f} GiB of memory are free and {needed} needed; see which other programs hold it, or "
                "ask for less"
            ] = None
    for pattern in patterns:
        place = f"{pattern.host}, {pattern.device}"
        if pattern.error:
            sentences[f"{place}: memory that is said to be free could not be had ({pattern.error}); ask for less"] = (
                None
            )
        if pattern.wrong_blocks:
            sentences[
                f"{place}: memory did not give back what was written, in {pattern.wrong_blocks} blocks of 64 MiB; "
                f"leave the node out (`--exclude={pattern.host}`) and have it examined"
            ] = None
    return list(sentences)


def summary(free: Sequence[Free], patterns: Sequence[Pattern]) -> str:
    """What was written, and where least is free."""
    least = min(free, key=lambda finding: finding.free_gib)
    written = min(pattern.written_gib for pattern in patterns)
    where = f"{least.free_gib:.1f} GiB ({least.host}, {least.device})"
    return f"{written:.2f} GiB a rank written and read back, least free {where}"
