"""Shards are mapped when they are asked for, within a bound, and what comes out does not depend on it."""

import gc
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_shards import write_shards
from preprocessing.shards.reader import ShardSet
from pretraining.data import mapped_shards
from pretraining.data.examples import Examples
from pretraining.data.loader import GlobalBatch, Loader
from pretraining.data.mapped_shards import OF_PROCESS, Mappings, most_mappings
from pretraining.data.sampler import Position, Sampler
from pretraining.errors import PretrainingError, RetryablePretrainingError

SHARDS, ROWS, HELDOUT = 12, 20, 6


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two sets: shards of both count together."""
    place = tmp_path_factory.mktemp("mapped")
    return [
        write_shards(place / f"set-{seed}", rows=ROWS, heldout_rows=HELDOUT, shards=SHARDS // 2, seed=seed)
        for seed in (1, 2)
    ]


def opened(folders: list[Path], mappings: Mappings, split: str = "train") -> Examples:
    return Examples([ShardSet.open(folder) for folder in folders], split, 32, mappings)


def mapped_files(folders: list[Path]) -> int:
    """As the kernel has it: shards of these folders that this process has mapped."""
    gc.collect()
    lines = Path("/proc/self/maps").read_text().splitlines()
    names = {line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6}
    return sum(name.startswith(f"{folder}/{split}/") for name in names for folder in folders for split in SPLITS)


SPLITS = ("train", "heldout")


def batches(examples: Examples, steps: int = 6) -> list[GlobalBatch]:
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    return list(Loader(examples, sampler, 48, 3, 0, 2, 64).batches(Position(), steps))


def content(found: list[GlobalBatch]) -> list[object]:
    return [
        (
            batch.fingerprint,
            batch.tokens,
            batch.masked_tokens,
            [micro.input_ids_t.tolist() for micro in batch.micro_batches],
        )
        for batch in found
    ]


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 1000])
def test_batches_are_the_same_whatever_the_bound(folders: list[Path], limit: int) -> None:
    """Six global batches of 48 examples of 12 shards: within the bound a batch does not find room at once."""
    before = mapped_files(folders)
    mappings = Mappings(limit)
    examples = opened(folders, mappings)
    assert mapped_files(folders) == before
    expected = content(batches(opened(folders, Mappings(1000))))
    seen = []
    original = examples.shards.parts
    examples.shards.parts = lambda wanted: (seen.append(mappings.live) or part for part in original(wanted))  # type: ignore[method-assign,func-returns-value]
    assert content(batches(examples)) == expected
    assert max(seen) <= min(limit, SHARDS)
    assert mappings.live <= limit
    if limit >= SHARDS:
        assert mappings.live == SHARDS


def test_the_kernel_counts_as_few_mappings(folders: list[Path]) -> None:
    mappings = Mappings(5)
    examples, heldout = opened(folders, mappings), opened(folders, mappings, "heldout")
    before = mapped_files(folders)
    for begin in range(0, len(examples), 16):
        examples.pack(np.arange(begin, min(begin + 16, len(examples))))
        heldout.pack(np.arange(begin % len(heldout), begin % len(heldout) + 1))
        assert mappings.live == examples.shards.live + heldout.shards.live <= 5
        assert mapped_files(folders) - before <= 5
    del examples, heldout
    gc.collect()
    assert mappings.live == 0
    assert mapped_files(folders) == before


def test_what_was_used_longest_ago_goes(folders: list[Path]) -> None:
    mappings = Mappings(3)
    examples = opened(folders, mappings)
    for shard in (0, 1, 2, 0, 3):
        examples.measure(np.array([shard * ROWS]))
    assert sorted(np.flatnonzero(examples.shards.last_used).tolist()) == [0, 2, 3]


def test_nothing_is_unmapped_where_all_fit(folders: list[Path]) -> None:
    examples = opened(folders, Mappings(SHARDS))
    everything = np.arange(len(examples))
    examples.measure(everything)
    tables = dict(examples.shards._mapped)
    examples.measure(everything[::-1])
    assert all(examples.shards._mapped[shard] is table for shard, table in tables.items())


def test_a_column_outlives_its_mapping(folders: list[Path]) -> None:
    examples = opened(folders, Mappings(1))
    column = examples.shards.column(0, "document_a")
    expected = column.to_pylist()
    examples.measure(np.arange(len(examples)))
    assert examples.shards.live == 1
    assert column.to_pylist() == expected


def test_two_threads_never_take_each_other_s_shards(folders: list[Path]) -> None:
    """The loader's thread and an evaluation, with room for one shard."""
    mappings = Mappings(1)
    parts = [opened(folders, mappings, split) for split in SPLITS]
    expected = [[micro.input_ids_t.tolist() for micro in (examples.pack(np.arange(60)),)] for examples in parts]
    found: list[list[object]] = [[], []]

    def work(number: int) -> None:
        for _ in range(30):
            found[number].append([parts[number].pack(np.arange(60)).input_ids_t.tolist()])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == [expected[number]] * 30 for number in range(2))


def test_a_shard_that_is_gone_leaves_the_lock_free(folders: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders[0], tmp_path / "copy"))
    (folder / "train/32/part-00003-of-00006.arrow").unlink()
    examples = opened([folder], Mappings(2))
    with pytest.raises(PretrainingError, match=r"part-00003-of-00006\.arrow is missing") as caught:
        examples.pack(np.arange(len(examples)))
    assert caught.value.exit_code == 2
    worked: list[int] = []
    thread = threading.Thread(target=lambda: worked.append(examples.pack(np.arange(3)).sequences))
    thread.start()
    thread.join(60)
    assert worked == [3]
    assert examples.shards.live <= 2


def test_trouble_that_may_pass_is_said_to_be_so(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: str) -> None:
        raise OSError(116, "Stale file handle")

    examples = opened(folders, Mappings(2))
    monkeypatch.setattr("preprocessing.shards.reader.pa.memory_map", failing)
    with pytest.raises(RetryablePretrainingError, match=r"part-00000-of-00006\.arrow cannot be read \(.*Stale"):
        examples.pack(np.arange(3))


@pytest.mark.parametrize(("text", "expected"), [("65530\n", 32765), ("262144", 131072), ("?", 32765), (None, 32765)])
def test_the_shipped_bound_is_half_of_the_kernel_s(
    text: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "max_map_count").write_text(text)
    monkeypatch.setattr(mapped_shards, "_MAX_MAP_COUNT", tmp_path / "max_map_count")
    assert most_mappings() == expected


def test_the_process_s_own_bound_is_shipped(folders: list[Path]) -> None:
    assert Examples([ShardSet.open(folders[0])], "train", 32).shards.mappings is OF_PROCESS
    assert OF_PROCESS.limit == most_mappings()


def test_room_is_never_made_of_what_is_in_use(tmp_path: Path) -> None:
    """More are unmapped than must be, a sixteenth of the bound, but none of those that the same batch needs."""
    folder = write_shards(tmp_path / "many", rows=1, heldout_rows=1, shards=34)
    examples = opened([folder], Mappings(32))
    examples.measure(np.arange(32))
    examples.measure(np.arange(1, 33))
    assert np.flatnonzero(examples.shards.last_used).tolist() == list(range(1, 33))
