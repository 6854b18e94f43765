"""Hashes a sample of the shards before a run: what was altered since the build at equal size is not trained on."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from preprocessing.shards import SPLITS, ShardSet
from pretraining.data.sampler import permute
from pretraining.errors import DamagedShardError

BUDGET_BYTES = 256 << 20  # under a second of one core, where the disk gives it as fast
_KEY = (20181011,)  # of the order, the same on every rank


def check_sample(
    sets: Sequence[ShardSet],
    split: str,
    sequence_length: int,
    rank: int,
    ranks: int,
    budget_bytes: int = BUDGET_BYTES,
) -> int:
    """Compares this rank's share of the shards with the sha256 in their manifests; returns how many files that were.

    The files of all sets lie in one pseudo-random order and are dealt to the ranks in turn, so that each rank hashes
    others, and hundreds of ranks together hash all. A rank begins files until ``budget_bytes`` are used: at least one
    where it has any, and none is hashed in part. DamagedShardError, on this rank alone, names the first file that is
    not what was built; ``python -m preprocessing.verify`` looks at all of them.
    """
    records = [shard_set.records(split, sequence_length) for shard_set in sets]
    edges = np.cumsum([0, *map(len, records)])
    order = permute(np.arange(edges[-1]), int(edges[-1]), _KEY)
    checked = used = 0
    for number in order[rank::ranks].tolist():
        if used >= budget_bytes:
            break
        of_set = int(np.searchsorted(edges, number, side="right")) - 1
        shard_set, record = sets[of_set], records[of_set].file(number - int(edges[of_set]))
        path = shard_set.folder / record.name
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(Path(path), error) from error
        if found != record.sha256:
            raise DamagedShardError(
                f"{path} is not the file that was built: its sha256 is {found[:12]}…, and manifest.json says "
                f"{record.sha256[:12]}…; remove it and run the build again, and look for others with "
                f"python -m preprocessing.verify {shard_set.folder}"
            )
        used += record.bytes
        checked += 1
    return checked


def check_sizes(sets: Sequence[ShardSet], sequence_length: int, part: int, parts: int) -> int:
    """Looks whether the files of both splits are there at their full size; returns how many files that were.

    The ranks of a node do it together: each takes every ``parts``-th file. A shard is opened only when a step asks for
    it, and days may pass before one that is missing would be missed. DamagedShardError names the first.
    """
    checked = 0
    for shard_set in sets:
        for split in SPLITS:
            for file in shard_set.records(split, sequence_length)[part::parts].files():
                path = shard_set.folder / file.name
                try:
                    size = path.stat().st_size
                except OSError as error:
                    raise _unreadable(Path(path), error) from error
                if size != file.bytes:
                    raise DamagedShardError(
                        f"{path} has {size} bytes, the manifest says {file.bytes}; remove it and run the build again"
                    )
                checked += 1
    return checked


def _unreadable(path: Path, error: OSError) -> DamagedShardError:
    return DamagedShardError(
        f"{path} cannot be read ({error.strerror or error}); run the build again with the same command"
    )
