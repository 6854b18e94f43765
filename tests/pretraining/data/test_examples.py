"""Packed micro-batches equal the shards' rows, and bad shards are named."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthetic_shards import write_shards
from preprocessing.shards.reader import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.data.dynamic_masking import MaskingVocabulary
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Position, Sampler
from pretraining.errors import PretrainingError


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("data") / "shards", lengths=(32, 64), shards=3, rows=50)


@pytest.fixture
def examples(shards: Path) -> Examples:
    return Examples(open_shard_sets([shards], 32, None), "train", 32)


@pytest.fixture(scope="module")
def vocabulary(shards: Path) -> MaskingVocabulary:
    tokenizer = Tokenizer.load(shards / "tokenizer")
    return MaskingVocabulary(tokenizer.mask_id, tokenizer.ordinary_ids, tokenizer.is_continuation, whole_words=False)


def test_rows_come_out_as_they_lie(shards: Path, examples: Examples) -> None:
    """Against the plain Arrow table, over three shards and in any order."""
    tables = [ShardSet.open(shards).read(record).table for record in ShardSet.open(shards).records("train", 32)]
    rows = [row for table in tables for row in table.to_pylist()]
    wanted = np.array([149, 0, 50, 99, 100, 3])
    batch = examples.pack(wanted)
    edges = batch.cu_seqlens.tolist()
    start_of_masks = 0
    for place, number in enumerate(wanted):
        row, start, stop = rows[number], edges[place], edges[place + 1]
        length, masks = len(row["input_ids"]), len(row["masked_positions"])
        assert batch.input_ids_t[start:stop].tolist() == row["input_ids"]
        assert batch.position_ids_t[start:stop].tolist() == list(range(length))
        assert batch.segment_ids_t[start:stop].tolist() == [int(i >= row["segment_b_start"]) for i in range(length)]
        indices = batch.masked_indices_m[start_of_masks : start_of_masks + masks]
        assert (indices - start).tolist() == row["masked_positions"]
        assert batch.masked_labels_m[start_of_masks : start_of_masks + masks].tolist() == row["masked_labels"]
        assert batch.is_random_next_s[place].item() == int(row["is_random_next"])
        start_of_masks += masks
    assert start_of_masks == len(batch.masked_indices_m)
    assert batch.max_length == max(len(rows[number]["input_ids"]) for number in wanted)


def test_wide_vocabulary(tmp_path: Path) -> None:
    """Identifiers of 32 bits, above 65,535."""
    folder = write_shards(tmp_path / "wide", words=70_000, rows=30, shards=1)
    examples = Examples(open_shard_sets([folder], 32, None), "train", 32)
    table = ShardSet.open(folder).read(ShardSet.open(folder).records("train", 32)[0]).table
    batch = examples.pack(np.arange(30))
    assert batch.input_ids_t.max() > 65_535
    assert batch.input_ids_t.tolist() == [token for row in table["input_ids"].to_pylist() for token in row]
    assert batch.masked_labels_m.tolist() == [token for row in table["masked_labels"].to_pylist() for token in row]


def test_counts_are_the_whole_batch_on_every_rank(examples: Examples) -> None:
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    batches = [Loader(examples, sampler, 24, 3, rank, 4, 64).batch_at(Position(0, 140)) for rank in range(4)]
    assert len({(b.masked_tokens, b.tokens, b.sequences, b.next_position) for b in batches}) == 1
    packed = [micro for batch in batches for micro in batch.micro_batches]
    assert sum(len(micro.masked_indices_m) for micro in packed) == batches[0].masked_tokens
    assert sum(micro.tokens for micro in packed) == batches[0].tokens
    assert sum(micro.sequences for micro in packed) == 24


@pytest.mark.parametrize(("ranks", "micro_batches"), [(1, 1), (1, 6), (2, 3), (4, 2)])
def test_a_global_batch_does_not_depend_on_how_it_is_cut(
    examples: Examples, ranks: int, micro_batches: int, vocabulary: MaskingVocabulary
) -> None:
    """The same set of sequences, dynamic masks included, on any number of ranks."""
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)

    def sequences(ranks: int, micro_batches: int) -> list[tuple[int, ...]]:
        found = []
        for rank in range(ranks):
            loader = Loader(examples, sampler, 24, micro_batches, rank, ranks, 64, vocabulary)
            for micro in loader.batch_at(Position(3, 7)).micro_batches:
                found += [tuple(part.tolist()) for part in micro.input_ids_t.split(micro.cu_seqlens.diff().tolist())]
        return sorted(found)

    assert sequences(ranks, micro_batches) == sequences(1, 2)


def test_prefetch_gives_the_same_and_passes_errors_on(examples: Examples) -> None:
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    loader = Loader(examples, sampler, 10, 1, 0, 1, 64)
    plain = [batch.micro_batches[0].input_ids_t.tolist() for batch in loader.batches(Position(), 4)]
    ahead = [batch.micro_batches[0].input_ids_t.tolist() for batch in prefetch(loader, Position(), 4, 2)]
    assert ahead == plain
    broken = Loader(examples, Sampler((9999,), (9999,), 1), 10, 1, 0, 1, 64)
    with pytest.raises(IndexError, match="of 150"):
        list(prefetch(broken, Position(), 4, 2))


def copy(shards: Path, to: Path) -> Path:
    return Path(shutil.copytree(shards, to / "copy"))


def test_missing_shard_is_named(shards: Path, tmp_path: Path) -> None:
    folder = copy(shards, tmp_path)
    (folder / "train/32/part-00001-of-00003.arrow").unlink()
    with pytest.raises(PretrainingError, match=r"part-00001-of-00003\.arrow is missing"):
        Examples(open_shard_sets([folder], 32, None), "train", 32).measure(np.arange(150))


def test_truncated_shard_is_named(shards: Path, tmp_path: Path) -> None:
    folder = copy(shards, tmp_path)
    path = folder / "train/32/part-00002-of-00003.arrow"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(PretrainingError, match=r"part-00002-of-00003\.arrow"):
        Examples(open_shard_sets([folder], 32, None), "train", 32).measure(np.arange(150))


def test_corrupt_offsets_are_named_and_never_followed(shards: Path, tmp_path: Path) -> None:
    folder = copy(shards, tmp_path)
    path = folder / "train/32/part-00000-of-00003.arrow"
    shard = ShardSet.open(folder).read(ShardSet.open(folder).records("train", 32)[0])
    content, offsets = bytearray(path.read_bytes()), shard.token_offsets.tobytes()
    place = content.find(offsets) + 4 * 11
    content[place : place + 4] = (2**30).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    examples = Examples(open_shard_sets([folder], 32, None), "train", 32)
    with pytest.raises(PretrainingError, match=r"part-00000-of-00003\.arrow, row 10, is corrupt"):
        examples.pack(np.arange(50))


@pytest.mark.parametrize("words", [60, 70_000])
@pytest.mark.parametrize(
    ("column", "highest"),
    [("input_ids", None), ("masked_labels", None), ("masked_positions", 31), ("segment_b_start", 32)],
)
def test_what_no_row_can_hold_is_named_by_file_and_row(
    tmp_path: Path, words: int, column: str, highest: int | None
) -> None:
    """Altered at equal size, so that only the values tell: identifiers of 16 and of 32 bits."""
    folder = write_shards(tmp_path / "shards", words=words, shards=2, rows=50, full_share=1.0)
    manifest = ShardSet.open(folder).manifest
    record = manifest.records("train", 32)[1]
    shard, path = ShardSet.open(folder).read(record), folder / record.name
    values = getattr(shard, column)
    first = {"input_ids": shard.token_offsets, "segment_b_start": range(50)}.get(column, shard.mask_offsets)[10]
    content, size = bytearray(path.read_bytes()), values.dtype.itemsize
    place = content.find(values.tobytes()) + size * int(first)
    highest = manifest.vocabulary_size - 1 if highest is None else highest

    def with_value(value: int) -> Examples:
        content[place : place + size] = value.to_bytes(size, "little")
        path.write_bytes(bytes(content))
        return Examples(open_shard_sets([folder], 32, None), "train", 32)

    with_value(highest).pack(np.arange(100))
    examples = with_value(highest + 1)
    with pytest.raises(PretrainingError, match=r"part-00001-of-00002\.arrow, row 10, is corrupt; .*sha256"):
        examples.pack(np.arange(100))
    examples.pack(np.delete(np.arange(100), 50 + 10))


def test_the_same_examples_twice(shards: Path, tmp_path: Path) -> None:
    """By any path, and as a copy."""
    for other in (shards, shards / "..", copy(shards, tmp_path)):
        folder = other / "shards" if other.name == ".." else other
        with pytest.raises(PretrainingError, match=r"hold the same examples; name them once.*data\.weights"):
            open_shard_sets([shards, folder], 32, None)


def test_incomplete_folder(tmp_path: Path) -> None:
    tmp_path.joinpath("train").mkdir()
    with pytest.raises(PretrainingError, match=r"manifest\.json"):
        open_shard_sets([tmp_path], 128, None)


def test_no_shards() -> None:
    with pytest.raises(PretrainingError, match=r"--data\.shards"):
        open_shard_sets([], 128, None)


def test_other_sequence_length(shards: Path) -> None:
    with pytest.raises(PretrainingError, match="no examples of length 128, only of 32, 64"):
        open_shard_sets([shards], 128, None)


def test_vocabulary_larger_than_the_models(shards: Path) -> None:
    with pytest.raises(PretrainingError, match="vocabulary of 65 tokens and the model has 60"):
        open_shard_sets([shards], 32, 60)


def test_sets_of_different_vocabularies(shards: Path, tmp_path: Path) -> None:
    other = write_shards(tmp_path / "other", words=61)
    with pytest.raises(PretrainingError, match="another vocabulary"):
        open_shard_sets([shards, other], 32, None)
