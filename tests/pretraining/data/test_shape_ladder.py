"""Few shapes, little filler, and a shape for every micro-batch, also for one that was not rehearsed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.synthetic_shards import write_shards
from pretraining.data.dealing import deal
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.sampler import Sampler
from pretraining.data.shape_ladder import MOST_LEVELS, ShapeLadder, _best_levels, common_shape, serve

SHARES = {128: 0.9, **dict.fromkeys(range(8, 128), 0.1 / 120)}


def fits(shape: object, tokens: np.ndarray, masked: np.ndarray, sequences: np.ndarray) -> bool:
    """What `PackedBatch.filled` asks: room for all, and between 1 and `max_length` tokens for each filler sequence."""
    filler, added = shape.tokens - tokens, shape.sequences - sequences
    return bool(
        ((filler >= added) & (added >= 1) & (filler <= added * shape.max_length) & (masked <= shape.masked)).all()
    )


@pytest.mark.parametrize(
    ("batch", "ranks", "micro_batches", "most_shapes"), [(256, 8, 1, 8), (4096, 8, 8, 4), (32768, 64, 8, 2)]
)
def test_published_batches_have_little_filler_and_few_shapes(
    batch: int, ranks: int, micro_batches: int, most_shapes: int
) -> None:
    """On fresh draws, not those of the rehearsal."""
    ladder = ShapeLadder.rehearsed(SHARES, 128, batch, ranks, micro_batches, 0.15)
    assert len(ladder.levels) <= MOST_LEVELS
    assert all(level % 16 == 0 for level in ladder.levels)
    generator = np.random.default_rng(1)
    lengths, shares = np.array(list(SHARES)), np.array(list(SHARES.values()))
    shapes, real, computed = set(), 0, 0
    for _ in range(max(20, 200_000 // batch)):
        drawn = generator.choice(lengths, batch, p=shares / shares.sum())
        tokens = drawn[deal(drawn, ranks * micro_batches)].sum(axis=1)
        for of_ranks in np.sort(tokens).reshape(micro_batches, ranks):
            masked = np.rint(0.15 * of_ranks).astype(np.int64)
            shape = ladder.shape(of_ranks, masked)
            assert fits(shape, of_ranks, masked, np.full(ranks, batch // ranks // micro_batches))
            shapes.add(shape)
            real, computed = real + int(of_ranks.sum()), computed + ranks * shape.tokens
    assert len(shapes) <= most_shapes
    assert 1 - real / computed < 0.01


@settings(max_examples=200, deadline=None)
@given(
    tokens=st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    levels=st.lists(st.integers(1, 80), min_size=1, max_size=6, unique=True),
    fillers=st.integers(1, 4),
    share=st.floats(0.01, 0.5),
)
def test_every_micro_batch_has_a_shape(tokens: list[int], levels: list[int], fillers: int, share: float) -> None:
    ladder = ShapeLadder(tuple(16 * level for level in sorted(levels)), 7, fillers, share, 32)
    found, masked = np.array(tokens), np.array(tokens) // 2 + 1
    shape = ladder.shape(found, masked)
    assert fits(shape, found, masked, np.full(len(tokens), 7))
    assert shape.max_length == 32


@settings(max_examples=200, deadline=None)
@given(data=st.data(), count=st.integers(1, 12))
def test_one_shape_for_micro_batches_of_any_kind(data: st.DataObject, count: int) -> None:
    sequences = np.array(data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count)))
    tokens = np.array([data.draw(st.integers(int(number), 32 * int(number))) for number in sequences])
    masked = np.maximum(tokens // 7, 1)
    shape = common_shape(tokens, masked, sequences, 32)
    assert fits(shape, tokens, masked, sequences)
    assert shape.tokens < tokens.max() + sequences.max() + 16 + 2 * (tokens.max() // 32 + 2)


def waste(levels: np.ndarray, sizes: np.ndarray) -> int:
    return int((levels[np.searchsorted(levels, sizes)] - sizes).sum())


def test_levels_waste_the_least() -> None:
    """Against every other choice of so many levels on a small case."""
    from itertools import combinations

    sizes = np.sort(np.random.default_rng(3).normal(400, 60, 300).astype(np.int64))
    levels = _best_levels(sizes)
    assert len(levels) == MOST_LEVELS
    assert levels[-1] >= sizes[-1]
    others = np.arange(levels[-1] - 16, sizes[0] - 1, -16)
    best = min(
        waste(np.array([*sorted(chosen), levels[-1]]), sizes) for chosen in combinations(others, MOST_LEVELS - 1)
    )
    assert waste(levels, sizes) == best


def test_one_size_needs_one_level() -> None:
    assert _best_levels(np.full(10, 4097)).tolist() == [4112]
    ladder = ShapeLadder.rehearsed({128: 1.0}, 128, 64, 2, 1, 0.15)
    assert ladder.levels == (4112,)
    assert ladder.filler_sequences == 1


@settings(max_examples=200, deadline=None)
@given(sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=30))
def test_levels_of_any_sizes_hold_the_largest(sizes: list[int]) -> None:
    levels = _best_levels(np.sort(np.array(sizes))).tolist()
    assert 1 <= len(levels) <= MOST_LEVELS
    assert levels == sorted(set(levels))
    assert levels[-1] >= max(sizes)
    assert all(level % 16 == 0 for level in levels)


@pytest.mark.parametrize("length", [8, 21, 128])
@pytest.mark.parametrize("sequences", [1, 2, 16])
def test_examples_of_one_length_alone(length: int, sequences: int) -> None:
    """All micro-batches are one size then, however much filler its rounding up takes."""
    ladder = ShapeLadder.rehearsed({length: 7.0}, 128, 4 * sequences, 2, 2, 0.15)
    tokens = np.full(2, length * sequences)
    shape = ladder.shape(tokens, tokens // 7)
    assert ladder.levels == (shape.tokens,)
    assert fits(shape, tokens, tokens // 7, np.full(2, sequences))


def test_the_same_on_every_rank_and_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    """From the manifest of weighted sets, without a look at the examples."""
    folders = [
        write_shards(tmp_path_factory.mktemp("shards") / str(seed), seed=seed, full_share=share)
        for seed, share in ((1, 0.9), (2, 0.1))
    ]
    examples = Examples(open_shard_sets(folders, 32, None), "train", 32)
    samplers = [Sampler.weighted(tuple(examples.set_sizes), weights, 1) for weights in ((1.0, 1.0), (3.0, 1.0))]
    even, uneven = (ShapeLadder.of(examples, sampler, 64, 2, 2) for sampler in samplers)
    assert even == ShapeLadder.of(examples, samplers[0], 64, 2, 2)
    assert uneven.levels[-1] > even.levels[0]
    lengths, masked = examples.measure(np.arange(len(examples)))
    first, second = lengths[:400], lengths[400:]
    shares = examples.length_shares((3, 1))
    mean = sum(length * share for length, share in shares.items()) / sum(shares.values())
    assert mean == pytest.approx((3 * first.mean() + second.mean()) / 4)
    weighted = [(3 * values[:400].sum() + values[400:].sum()) for values in (masked, lengths)]
    assert examples.masked_share((3, 1)) == pytest.approx(weighted[0] / weighted[1])


@pytest.mark.parametrize(
    ("precision", "head_size", "capability", "expected"),
    [
        ("bf16", 64, (8, 0), True),
        ("fp16", 64, (9, 0), True),
        ("fp16", 64, (7, 5), False),
        ("fp32", 64, (9, 0), False),
        ("bf16", 12, (9, 0), False),
        ("bf16", 264, (9, 0), False),
        ("bf16", 64, None, False),
    ],
)
def test_where_fixed_shapes_win(
    precision: str, head_size: int, capability: tuple[int, int] | None, expected: bool
) -> None:
    assert serve(precision, head_size, capability) is expected
