"""A global batch is dealt out completely, evenly, and by length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretraining.data.batching import cut, example_cost, micro_batches_per_rank
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
