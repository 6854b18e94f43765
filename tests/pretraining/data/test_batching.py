"""A global batch is dealt out completely, evenly, and by length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretraining.data.batching import _equal_cost_edges, cut, example_cost, micro_batches_per_rank
from pretraining.errors import PretrainingError


@settings(max_examples=60, deadline=None)
@given(
    ranks=st.integers(1, 8),
    micro_batches=st.integers(1, 5),
    micro=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_every_example_once_and_no_micro_batch_empty(ranks: int, micro_batches: int, micro: int, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 513, ranks * micro_batches * micro)
    shares = cut(lengths, ranks, micro_batches, 768)
    assert len(shares) == micro_batches
    assert sorted(np.concatenate([share.ravel() for share in shares])) == list(range(len(lengths)))
    assert all(share.shape[0] == ranks and share.shape[1] > 0 for share in shares)


def test_ranks_and_micro_batches_cost_nearly_the_same() -> None:
    generator = np.random.default_rng(1)
    lengths = np.where(generator.random(4096) < 0.85, 512, generator.integers(20, 512, 4096))
    shares = cut(lengths, 8, 16, 1024)
    cost = np.array([example_cost(lengths[share], 1024).sum(axis=1) for share in shares])
    # What ranks wait for: the slowest of each micro-batch, summed.
    assert cost.max(axis=1).sum() / cost.mean(axis=1).sum() < 1.01
    assert cost.sum(axis=1).max() / cost.sum(axis=1).mean() < 1.05


def test_examples_of_a_micro_batch_are_alike() -> None:
    lengths = np.random.default_rng(1).integers(16, 129, 1024)
    shares = cut(lengths, 2, 16, 256)
    inside = np.mean([np.ptp(lengths[share], axis=1).mean() for share in shares])
    assert inside < 0.25 * np.ptp(lengths)


def test_no_micro_batch_outgrows_its_share_of_memory() -> None:
    """Tokens of the largest micro-batch stay near the mean, though examples are short and long."""
    lengths = np.random.default_rng(2).integers(16, 513, 2048)
    shares = cut(lengths, 4, 16, 1024)
    tokens = np.array([lengths[share].sum(axis=1) for share in shares])
    assert tokens.max() < 1.35 * tokens.mean()


def test_depends_on_lengths_alone() -> None:
    lengths = np.random.default_rng(2).integers(16, 513, 64)
    first, second = cut(lengths, 4, 2, 256), cut(lengths.copy(), 4, 2, 256)
    assert all((left == right).all() for left, right in zip(first, second, strict=True))


@pytest.mark.parametrize(("batch", "micro", "ranks", "expected"), [(64, 8, 2, 4), (65536, 64, 64, 16), (8, 8, 1, 1)])
def test_accumulation_steps(batch: int, micro: int, ranks: int, expected: int) -> None:
    assert micro_batches_per_rank(batch, micro, ranks) == expected


@pytest.mark.parametrize(
    ("batch", "micro", "ranks", "message"),
    [
        (64, 8, 3, "64 does not divide among 3 ranks; use 63 or 66"),
        (2, 1, 3, "use 3, or another number of ranks"),
        (64, 7, 2, "--training.micro_batch_size 4"),
        (64, 48, 2, "--training.micro_batch_size 32"),
    ],
)
def test_what_does_not_divide_is_refused(batch: int, micro: int, ranks: int, message: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        micro_batches_per_rank(batch, micro, ranks)


def test_the_cost_of_an_example_is_its_multiply_adds() -> None:
    cost = example_cost(np.array([1, 10, 60000], np.uint16), 100)
    assert cost.tolist() == [601.0, 6100.0, 60000.0 * 60600.0]
    assert cost.dtype == np.float64


def test_a_cut_by_hand() -> None:
    """Two ranks, longest first, back and forth; equal lengths by place. The first half of the cost is in three rows."""
    lengths = np.array([5, 9, 5, 7, 8, 7, 3, 9, 2, 2, 2, 1], np.uint16)
    first, second = cut(lengths, 2, 2, 1)
    assert first.tolist() == [[1, 3], [7, 4]]
    assert second.tolist() == [[5, 6, 8, 11], [0, 2, 9, 10]]
    (whole,) = cut(lengths, 3, 1, 1)
    assert whole.tolist() == [[1, 0, 2, 11], [7, 5, 6, 10], [4, 3, 8, 9]]


def test_an_edge_goes_to_the_nearer_side_and_leaves_no_part_empty() -> None:
    for costs, parts, edges in (
        ([1.0, 1.0, 1.0, 1.0], 2, [0, 2, 4]),
        ([3.0, 1.0, 1.0, 1.0], 2, [0, 1, 4]),
        ([1.9, 1.0, 1.0], 2, [0, 1, 3]),
        ([1.0, 1.9, 1.0], 2, [0, 1, 3]),
        ([1.0, 1.0, 1.9], 2, [0, 2, 3]),
        ([9.0, 1.0, 1.0], 3, [0, 1, 2, 3]),
        ([1.0, 1.0, 9.0], 3, [0, 1, 2, 3]),
        ([2.0, 2.0], 1, [0, 2]),
    ):
        assert _equal_cost_edges(np.cumsum(costs), parts).tolist() == edges, costs


@pytest.mark.parametrize(
    ("batch", "micro", "ranks", "message"),
    [
        (12, 5, 2, "is 6 examples a rank, which training.micro_batch_size 5 does not divide; use .* 3$"),
        (14, 6, 2, "use --training.micro_batch_size 1$"),
        (8, 9, 2, "use --training.micro_batch_size 4$"),
        (9, 3, 2, "use 8 or 10, or another"),
        (3, 3, 4, "use 4, or another"),
    ],
)
def test_the_nearest_sizes_that_divide_are_named(batch: int, micro: int, ranks: int, message: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        micro_batches_per_rank(batch, micro, ranks)
