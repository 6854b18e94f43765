"""Shards: every node has all of them, and a sample of the files is as the manifest says."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.checks.hosts import distinct, listed, named, odd_ones
from cluster.checks.meeting import Finding, Meeting

MEBIBYTE = 2**20


@dataclass(frozen=True)
class File:
    """One shard as the manifest has it."""

    path: Path
    bytes: int
    sha256: str


class Shards(Finding):
    """What one rank saw: `fingerprints` by folder; `broken` are the ends of sentences, after the name of the host."""

    fingerprints: dict[str, str]
    files: int
    bytes: int
    hashed_files: int
    hashed_bytes: int
    broken: tuple[str, ...]


def measure(meeting: Meeting, folders: Sequence[str], mib: float) -> Shards:
    """Looks for this rank's part of the node's files, and hashes its part of all files, at most `mib` MiB."""
    from preprocessing.errors import PreprocessingError
    from preprocessing.shards import Manifest

    fingerprints, broken, listed_in = {}, [], []
    for folder in folders:
        try:
            manifest = Manifest.read(Path(folder))
            fingerprints[folder] = manifest.fingerprint
        except PreprocessingError as error:
            broken.append(str(error))
        except OSError as error:
            broken.append(f"{folder} cannot be read ({error.strerror}); mend that, or leave the node out")
        else:
            listed_in.append((Path(folder), manifest.shards))
    # Columns, and an object only for a file that this rank looks at: a build may have hundreds of thousands.
    places = [(folder, shards, place) for folder, shards in listed_in for place in range(len(shards))]
    sizes = [size for _, shards in listed_in for size in shards.bytes.tolist()]
    hashes = [digest.tobytes() for _, shards in listed_in for digest in shards.sha256]

    def files(chosen: Iterable[int]) -> Iterator[File]:
        for folder, shards, place in map(places.__getitem__, chosen):
            found = shards.file(place)
            yield File(folder / found.name, found.bytes, found.sha256)

    neighbours = [rank for rank, host in enumerate(meeting.hosts) if host == meeting.host]
    broken += absent(files(range(neighbours.index(meeting.rank), len(places), len(neighbours))))
    sample = list(files(share_of(hashes, sizes, meeting.rank, meeting.world_size, int(mib * MEBIBYTE))))
    return Shards(
        host=meeting.host,
        rank=meeting.rank,
        fingerprints=fingerprints,
        files=len(sizes),
        bytes=sum(sizes),
        hashed_files=len(sample),
        hashed_bytes=sum(file.bytes for file in sample),
        broken=(*broken, *changed(sample)),
    )


def share_of(hashes: Sequence[bytes], sizes: Sequence[int], rank: int, world_size: int, budget: int) -> list[int]:
    """The files that `rank` hashes: of a mixed order every `world_size`th, while they fit into `budget` bytes.

    No file falls to two ranks, and all of them are hashed where the budget allows it. `hashes` and `sizes` are those of
    all files; the places of the chosen ones come back.
    """
    mixed = sorted(range(len(hashes)), key=hashes.__getitem__)
    taken = []
    for place in mixed[rank::world_size]:
        if sizes[place] <= budget:
            taken.append(place)
            budget -= sizes[place]
    return taken


def absent(files: Iterable[File]) -> Iterator[str]:
    """Files that are not there, or not of their size."""
    for file in files:
        try:
            size = file.path.stat().st_size
        except OSError as error:
            yield f"{file.path} cannot be found ({error.strerror}); copy the shards anew, or mount their folder there"
            continue
        if size != file.bytes:
            yield f"{file.path} has {size} bytes, the manifest says {file.bytes}; copy or build the shards anew"


def changed(files: Sequence[File]) -> Iterator[str]:
    """Files of the right size whose bytes are not those that were written."""
    for file in files:
        try:
            with file.path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = file.path.stat().st_size
        except FileNotFoundError:
            continue  # `absent` says so
        except OSError as error:
            yield f"{file.path} cannot be read ({error.strerror}); mend that, or leave the node out"
            continue
        if digest != file.sha256 and size == file.bytes:
            yield (
                f"{file.path} is not as it was written (sha256 {digest[:12]}…, the manifest says {file.sha256[:12]}…); "
                "copy it anew, or run `python -m preprocessing.verify` and build what is corrupt again"
            )


def faults(findings: Sequence[Shards]) -> list[str]:
    """A sentence for every file or folder that is not as it should be, with the nodes that see it so."""
    hosts = [finding.host for finding in findings]
    seen_by: dict[str, list[str]] = {}
    for finding in findings:
        for sentence in finding.broken:
            seen_by.setdefault(sentence, []).append(finding.host)
    sentences = [f"{named(where, hosts)}: {sentence}" for sentence, where in seen_by.items()]
    of_rank = {finding.rank: finding.host for finding in findings}
    for folder in distinct([folder for finding in findings for folder in finding.fingerprints]):
        prints = {finding.rank: finding.fingerprints[folder] for finding in findings if folder in finding.fingerprints}
        usual, odd = odd_ones(prints)
        others = listed(distinct([of_rank[rank] for rank, fingerprint in prints.items() if fingerprint == usual]))
        for fingerprint, ranks in odd.items():
            sentences.append(
                f"{listed(distinct([of_rank[rank] for rank in ranks]))}: {folder} holds other shards (fingerprint "
                f"{fingerprint[:12]}…) than on {others} ({usual[:12]}…); copy the same shards to every node"
            )
    return sentences


def summary(findings: Sequence[Shards]) -> str:
    """How much was looked at."""
    first = findings[0]
    hashed, size = sum(found.hashed_files for found in findings), sum(found.hashed_bytes for found in findings)
    return (
        f"{first.files} files on {len(distinct([found.host for found in findings]))} nodes, {hashed} of them hashed "
        f"({size / MEBIBYTE:.0f} of {first.bytes / MEBIBYTE:.0f} MiB)"
    )
