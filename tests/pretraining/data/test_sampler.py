"""The permutation is one, looks random, and its position is two integers."""

import numpy as np
import pytest

from pretraining.data.sampler import PassedOver, Position, Sampler, permute
from pretraining.errors import PretrainingError


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 1000, 4097])
def test_is_a_permutation(size: int) -> None:
    assert sorted(permute(np.arange(size), size, (1, 2))) == list(range(size))


def test_is_pointwise() -> None:
    whole = permute(np.arange(1000), 1000, (5, 0))
    assert permute(np.array([17, 999, 3]), 1000, (5, 0)).tolist() == whole[[17, 999, 3]].tolist()


def test_depends_on_every_part_of_the_key() -> None:
    orders = {permute(np.arange(50), 50, key).tobytes() for key in [(1, 0), (1, 1), (2, 0), (2, 1)]}
    assert len(orders) == 4


def test_handles_a_corpus_at_scale() -> None:
    places = permute(np.arange(160_000_000 - 1000, 160_000_000), 160_000_000, (1, 0))
    assert len(set(places.tolist())) == 1000
    assert places.min() >= 0
    assert places.max() < 160_000_000


@pytest.mark.parametrize("size", [64, 5000, 65_536])
def test_looks_random(size: int) -> None:
    """Neighbours land independently: serial correlation and the share of fixed points are those of chance."""
    order = permute(np.arange(size), size, (3, 1)).astype(float)
    correlation = np.corrcoef(order[:-1], order[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(size)
    assert (order == np.arange(size)).sum() < 8  # Poisson with mean 1
    halves = order[: size // 2] < size / 2
    assert abs(halves.mean() - 0.5) < 3 / np.sqrt(size)


def test_first_place_is_uniform_over_seeds() -> None:
    """Over 6000 keys each of ten items comes first about 600 times (chi-square with 9 degrees, p = 0.001)."""
    firsts = [int(permute(np.array([0]), 10, (seed, 0))[0]) for seed in range(6000)]
    counts = np.bincount(firsts, minlength=10)
    assert ((counts - 600) ** 2 / 600).sum() < 27.9


def test_epoch_holds_every_example_once() -> None:
    sampler = Sampler.weighted((30, 12), (), seed=4)
    examples, passes = sampler.draw(Position(), 42)
    assert sorted(examples) == list(range(42))
    assert set(passes) == {0}


def test_batches_do_not_depend_on_how_the_stream_is_cut() -> None:
    sampler = Sampler.weighted((30, 12), (0.5, 2.0), seed=4)
    whole, whole_passes = sampler.draw(Position(), 200)
    position, parts, part_passes = Position(), [], []
    for count in (7, 1, 92, 100):
        examples, passes = sampler.draw(position, count)
        position = sampler.advance(position, count)
        parts.append(examples)
        part_passes.append(passes)
    assert np.concatenate(parts).tolist() == whole.tolist()
    assert np.concatenate(part_passes).tolist() == whole_passes.tolist()
    assert position == Position(*divmod(200, sampler.epoch_size))


def test_weights_are_passes_per_epoch() -> None:
    """Weight ½: one half per epoch, the other half in the next; weight 2: twice per epoch; always whole passes."""
    sampler = Sampler.weighted((30, 12), (0.5, 2.0), seed=4)
    assert sampler.epoch_size == 15 + 24
    examples, passes = sampler.draw(Position(), 2 * sampler.epoch_size)
    counts = np.bincount(examples, minlength=42)
    assert set(counts[:30]) == {1}
    assert set(counts[30:]) == {4}
    assert set(passes[examples < 30]) == {0}
    assert set(passes[examples >= 30]) == {0, 1, 2, 3}


def test_epochs_differ() -> None:
    sampler = Sampler.weighted((50,), (), seed=4)
    first, _ = sampler.draw(Position(0, 0), 50)
    second, passes = sampler.draw(Position(1, 0), 50)
    assert sorted(first) == sorted(second)
    assert first.tolist() != second.tolist()
    assert set(passes) == {1}


def test_a_weight_that_draws_nothing() -> None:
    with pytest.raises(PretrainingError, match=r"data\.weights: 0\.001 of a set of 100 examples"):
        Sampler.weighted((100, 100), (1.0, 0.001), 1)
    assert Sampler.weighted((0, 100), (1.0, 1.0), 1).draws == (0, 100)


def test_wrong_number_of_weights() -> None:
    with pytest.raises(PretrainingError, match="3 numbers for 2 shard sets"):
        Sampler.weighted((1, 2), (1.0, 1.0, 1.0), seed=0)


def test_nothing_to_draw() -> None:
    with pytest.raises(PretrainingError, match="no training example"):
        Sampler.weighted((0, 0), (), seed=0)


def test_what_is_passed_over_is_never_drawn() -> None:
    sampler = Sampler((10,), (10,), seed=3)
    ranges = (PassedOver(Position(0, 8), 4), PassedOver(Position(1, 6), 4))  # draws 8 to 11 and 16 to 19
    begins, position = [], Position()
    for _ in range(5):
        position = sampler.past(position, 4, ranges)
        begins.append(10 * position.epoch + position.index)
        position = sampler.advance(position, 4)
    assert begins == [0, 4, 12, 20, 24]
    assert sampler.past(Position(0, 6), 4, ranges) == Position(1, 2)  # a batch that would only touch them
    assert sampler.past(Position(0, 4), 4, ranges) == Position(0, 4)
    assert sampler.past(Position(0, 3), 99, ()) == Position(0, 3)
