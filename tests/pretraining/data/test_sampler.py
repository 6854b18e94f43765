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


def mixed(value: int) -> int:
    """The finaliser of SplitMix64 with Python's integers."""
    full = 2**64 - 1
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & full
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & full
    return value ^ (value >> 31)


def sent_to(index: int, size: int, key: tuple[int, ...]) -> int:
    """Where eight rounds of a Feistel network send an index, walked along until it is below the size."""
    keys = [int(word) for word in np.random.SeedSequence(key).generate_state(8, np.uint64)]
    bits = max((size - 1).bit_length(), 2)
    while True:
        width, other = bits // 2, bits - bits // 2
        left, right = index >> other, index % 2**other
        for word in keys:
            left, right = right, left ^ mixed((right + word) % 2**64) % 2**width
            width, other = other, width
        index = left << other | right
        if index < size:
            return index


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 16, 17, 100, 1000])
def test_the_permutation_is_that_of_its_definition(size: int) -> None:
    indices = np.arange(size)
    found = permute(indices, size, (3, 1, size))
    assert found.tolist() == [sent_to(index, size, (3, 1, size)) for index in range(size)]
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == indices.tolist()


def test_one_example_stays_where_it_is() -> None:
    assert permute(np.zeros(3, np.int64), 1, (1,)).tolist() == [0, 0, 0]


def test_every_draw_of_several_sets_by_definition() -> None:
    """Sets of 5, 0, 3 and 2 examples, of which an epoch draws 5, 0, 4 and 1."""
    sampler = Sampler((5, 0, 3, 2), (5, 0, 4, 1), seed=9)
    assert sampler.epoch_size == 10
    for epoch in range(4):
        examples, passes = sampler.draw(Position(epoch, 0), 10)
        assert (examples.dtype, passes.dtype) == (np.int64, np.int64)
        for at in range(10):
            slot = sent_to(at, 10, (9, epoch, 0))
            number, slots, before = 0, (5, 0, 4, 1), 0
            while slot >= slots[number]:
                slot, before, number = slot - slots[number], before + sampler.sizes[number], number + 1
            drawn, size = slot + epoch * slots[number], sampler.sizes[number]
            within = sent_to(drawn % size, size, (9, drawn // size, 1 + number))
            assert (examples[at], passes[at]) == (before + within, drawn // size)
    together = sampler.draw(Position(1, 7), 16)
    apart = [
        sampler.draw(position, count)
        for position, count in ((Position(1, 7), 3), (Position(2, 0), 10), (Position(3, 0), 3))
    ]
    assert [part.tolist() for part in together] == [
        np.concatenate(parts).tolist() for parts in zip(*apart, strict=True)
    ]
    assert sampler.numbers(Position(2, 3), 4).tolist() == [23, 24, 25, 26]
    assert sampler.advance(Position(2, 3), 17) == Position(4, 0)
    assert Position() == Position(0, 0)
    assert sampler.past(Position(0, 3), 2, ()) == Position(0, 3)


def test_weights_are_passes_and_a_set_of_nothing_may_be_there() -> None:
    assert Sampler.weighted((10, 0, 7), (), 1).draws == (10, 0, 7)
    assert Sampler.weighted((10, 0, 7), (0.25, 3.0, 2.0), 1).draws == (2, 0, 14)
    assert Sampler.weighted((1,), (), 1).epoch_size == 1
    for sizes, weights, message in (
        ((3, 4), (1.0,), "data.weights has 1 numbers for 2 shard sets"),
        ((0, 0), (), "hold no training example"),
        ((10, 4), (1.0, 0.1), "0.1 of a set of 4 examples is less than one"),
    ):
        with pytest.raises(PretrainingError, match=message):
            Sampler.weighted(sizes, weights, 1)


@pytest.mark.parametrize(
    ("begin", "passed_over", "expected"),
    [
        (3, [(5, 4)], 3),
        (4, [(5, 4)], 9),
        (8, [(5, 4)], 9),
        (9, [(5, 4)], 9),
        (4, [(9, 3), (5, 4)], 12),
        (0, [(1, 1), (30, 5)], 2),
        (0, [(1, 1), (3, 20)], 23),
    ],
)
def test_what_is_passed_over(begin: int, passed_over: list[tuple[int, int]], expected: int) -> None:
    """Two draws from `begin` on, in epochs of ten."""
    sampler = Sampler((10,), (10,), 1)
    left_out = [PassedOver(Position(*divmod(start, 10)), count) for start, count in passed_over]
    assert sampler.past(Position(*divmod(begin, 10)), 2, left_out) == Position(*divmod(expected, 10))
