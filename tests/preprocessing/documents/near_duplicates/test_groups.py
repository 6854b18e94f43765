"""Groups do not depend on how the work was cut, and are those of a linking that holds everything in memory."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from preprocessing.documents.near_duplicates import candidates, groups, job
from preprocessing.documents.near_duplicates.bands import band_count, band_numbers, band_rows
from preprocessing.documents.near_duplicates.groups import Groups, count_documents, find_groups, link
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.documents.near_duplicates.members import Members
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions
from preprocessing.errors import PreprocessingError

Link = Callable[..., NearDuplicateJob]


def corpus(seed: int, documents: int, permutations: int = 32) -> tuple[np.ndarray, list[bytes], list[int]]:
    """Signatures of which many resemble an earlier one; keys that end in zero bytes, lengths that are often equal."""
    random = np.random.default_rng(seed)
    signatures = random.integers(0, 2**32, (documents, permutations), dtype=np.uint32)
    for row in range(1, documents):
        if random.random() < 0.6:
            changed = random.random(permutations) < random.choice([0.0, 0.02, 0.1, 0.3, 0.6])
            signatures[row] = np.where(changed, signatures[row], signatures[random.integers(0, row)])
    keys = [random.bytes(15) + b"\0" for _ in range(documents)]
    return signatures, keys, random.integers(100, 105, documents).tolist()


def expected(
    signatures: np.ndarray, keys: Sequence[bytes], characters: Sequence[int], options: NearDuplicateOptions
) -> tuple[list[list[bytes]], set[bytes]]:
    """Groups of several (each sorted, in order of their smallest key) and dropped keys: sets and loops, all at once."""
    order = sorted(range(len(keys)), key=lambda row: keys[row])
    parent = {row: row for row in order}

    def root(row: int) -> int:
        while parent[row] != row:
            row = parent[row]
        return row

    rows = band_rows(options.threshold, options.permutations)
    for band in range(band_count(options)):
        numbers = band_numbers(signatures, band, rows)
        runs: dict[int, list[int]] = {}
        for row in order:
            runs.setdefault(int(numbers[row]), []).append(row)
        for run in runs.values():
            for before, row in itertools.pairwise(run):
                for other in (run[0], before):
                    if (signatures[other] == signatures[row]).mean() >= options.threshold:
                        parent[root(other)] = root(row)
    together: dict[int, list[int]] = {}
    for row in order:
        together.setdefault(root(row), []).append(row)
    found = [group for group in together.values() if len(group) > 1]
    kept = {max(group, key=lambda row: (characters[row], [-byte for byte in keys[row]])) for group in found}
    return [[keys[row] for row in group] for group in found], {
        keys[row] for group in found for row in group if row not in kept
    }


def key_bytes(keys: np.ndarray) -> list[bytes]:
    return [row.astype(">u8").tobytes() for row in keys]


def by_group(found: Groups) -> list[list[bytes]]:
    keys = key_bytes(found.keys)
    return [
        [keys[row] for row in np.flatnonzero(found.group == group)] for group in range(found.group.max(initial=-1) + 1)
    ]


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("splits", [1, 3, 11])
def test_groups_are_those_of_all_documents_in_memory(linked: Link, threshold: float, splits: int) -> None:
    documents = corpus(splits, 240)
    made = linked(*documents, splits, threshold=threshold)
    found = find_groups(made, Members(made))
    groups_expected, dropped = expected(*documents, made.options)
    assert len(groups_expected) > 10
    assert by_group(found) == groups_expected
    assert key_bytes(found.dropped_keys) == sorted(dropped)
    assert count_documents(made) == 240


def test_small_pieces_change_nothing(linked: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """More splits than parts and ranges, few rows and pairs at a time."""
    documents = corpus(5, 300)
    monkeypatch.setattr(job, "PARTS", 3)
    monkeypatch.setattr(job, "RANGES", 4)
    monkeypatch.setattr(candidates, "_ROWS_AT_A_TIME", 7)
    monkeypatch.setattr("preprocessing.documents.near_duplicates.bands._NUMBERS_AT_A_TIME", 500)
    monkeypatch.setattr("preprocessing.documents.near_duplicates.pairs.PAIRS_AT_A_TIME", 3)
    monkeypatch.setattr(groups, "_PAIRS_AT_A_TIME", 2)
    made = linked(*documents, 8, threshold=0.6)
    assert (made.parts, made.ranges) == (3, 4)
    assert len(list(made.folder.glob("*.arrow"))) == 8 + 3 * 3 + 3 * 4
    groups_expected, dropped = expected(*documents, made.options)
    found = find_groups(made, Members(made))
    assert by_group(found) == groups_expected
    assert key_bytes(found.dropped_keys) == sorted(dropped)


def test_a_key_that_comes_twice_is_not_dropped_where_one_of_its_documents_stays(linked: Link) -> None:
    """A drop list names keys: it would take both documents out of the build."""
    signatures = np.repeat(np.arange(2, dtype=np.uint32)[:, None], 16, axis=1)[[0, 0, 1, 1]]
    keys = [b"a" * 16, b"a" * 16, b"b" * 16, b"c" * 16]
    made = linked(signatures, keys, [9, 9, 9, 9], 2, threshold=0.8)
    found = find_groups(made, Members(made))
    assert found.kept.sum() == 2
    assert key_bytes(found.dropped_keys) == [b"c" * 16]


def test_nothing_is_linked_where_nothing_is_alike(linked: Link) -> None:
    random = np.random.default_rng(1)
    signatures = random.integers(0, 2**32, (20, 16), dtype=np.uint32)
    made = linked(signatures, [random.bytes(16) for _ in range(20)], [1] * 20, 2, threshold=0.8)
    found = find_groups(made, Members(made))
    assert len(found.places) == len(found.dropped_keys) == 0
    empty = linked(signatures[:0], [], [], 2, threshold=0.8)
    assert len(find_groups(empty, Members(empty)).places) == count_documents(empty) == 0


@pytest.mark.parametrize("at_a_time", [1, 3, 1000])
def test_linking_a_batch_at_a_time_gives_connected_components(monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(groups, "_PAIRS_AT_A_TIME", at_a_time)
    pairs = [([7, 3], [9, 5]), ([5], [9]), ([20], [21]), ([21, 100], [22, 101]), ([22], [20])]
    batches = [(np.array(a, np.uint64), np.array(b, np.uint64)) for a, b in pairs]
    places, first = link(batches)
    assert places.tolist() == [3, 5, 7, 9, 20, 21, 22, 100, 101]
    assert first.tolist() == [3, 3, 3, 3, 20, 20, 20, 100, 100]


def test_a_range_that_was_lost_is_noticed(linked: Link) -> None:
    made = linked(*corpus(2, 40), 3, threshold=0.8)
    made.path("pairs", 1).unlink()
    with pytest.raises(PreprocessingError, match=r"pairs-00001-.*is missing"):
        find_groups(made, Members(made))
