"""Similar pairs linked to groups, and which document of each group stays: the driver's part."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from preprocessing.documents.near_duplicates.bands import splits_of
from preprocessing.documents.near_duplicates.candidates import distinct
from preprocessing.documents.near_duplicates.job import NearDuplicateJob, batches_of
from preprocessing.documents.near_duplicates.members import Members

_PAIRS_AT_A_TIME = 1 << 22


@dataclass(frozen=True, slots=True)
class Groups:
    """The documents that are near-duplicates of some other, in the order of their keys."""

    places: np.ndarray  # uint64 [documents]
    keys: np.ndarray  # uint64 [documents, 2]
    characters: np.ndarray  # uint64 [documents]
    group: np.ndarray  # int32 [documents]: groups are numbered by their smallest key, from 0
    kept: np.ndarray  # bool [documents]: the longest of each group, between equals the one with the smallest key

    @property
    def dropped_keys(self) -> np.ndarray:
        """uint64 [dropped, 2], ascending, each once: what a drop list names.

        A key that the input holds several times names all its documents, so where one of them is kept none is dropped.
        """
        new = np.ones(len(self.keys), bool)
        new[1:] = (self.keys[1:] != self.keys[:-1]).any(axis=1)
        one_kept = np.logical_or.reduceat(self.kept, np.flatnonzero(new)) if len(new) else self.kept
        return self.keys[new][~one_kept]


def link(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """(places, first) of all linked documents: uint64 ascending, and the smallest place of each one's group.

    pairs: (a, b), uint64 [pairs]. They are merged with what is linked already, of which only a tree is held, whenever
    they are half as many as those: so memory is that of the linked documents, and time grows with the pairs.
    """
    places, first = np.empty(0, np.uint64), np.empty(0, np.uint64)
    held: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for a, b in pairs:
        held.append((a, b))
        count += len(a)
        if count >= max(_PAIRS_AT_A_TIME, len(places) // 2):
            places, first = _merged(places, first, held)
            held, count = [], 0
    return _merged(places, first, held) if held else (places, first)


def _merged(
    places: np.ndarray, first: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    every = distinct(places, *(side for pair in pairs for side in pair))
    left = np.searchsorted(every, np.concatenate([places, *(a for a, _ in pairs)])).astype(np.int32)
    right = np.searchsorted(every, np.concatenate([first, *(b for _, b in pairs)])).astype(np.int32)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(every), len(every)))
    groups, label = connected_components(graph, directed=False)
    smallest = np.full(groups, len(every))
    np.minimum.at(smallest, label, np.arange(len(every)))
    return every, every[smallest[label]]


def find_groups(job: NearDuplicateJob, members: Members) -> Groups:
    """Links the pairs of all ranges. Raises PreprocessingError when the runner lost a range."""
    places, first = link(_pairs(job))
    keys = members.keys(places)
    order = np.lexsort((places, keys[:, 1], keys[:, 0]))
    places, keys, first = places[order], keys[order], first[order]
    characters = members.characters(places)
    label = np.searchsorted(distinct(first), first)
    seen = np.full(label.max(initial=-1) + 1, len(label))
    np.minimum.at(seen, label, np.arange(len(label)))
    rank = np.empty(len(seen), np.int32)
    rank[np.argsort(seen, kind="stable")] = np.arange(len(seen), dtype=np.int32)
    group = rank[label]
    order = np.lexsort((np.arange(len(group)), -characters.astype(np.int64), group))
    kept = np.zeros(len(group), bool)
    kept[order[np.flatnonzero(np.diff(group[order], prepend=-1))]] = True
    return Groups(places, keys, characters, group, kept)


def count_documents(job: NearDuplicateJob) -> int:
    """Documents with a signature, all splits together."""
    return sum(documents for part in range(job.parts) for _, documents in splits_of(part, job))


def _pairs(job: NearDuplicateJob) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs of all ranges."""
    for number in range(job.ranges):
        for batch in batches_of(job.path("pairs", number)):
            yield batch.column("a").to_numpy(), batch.column("b").to_numpy()
