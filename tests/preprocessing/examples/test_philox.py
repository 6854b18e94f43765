import numpy as np
import pytest
import scipy.stats
import xxhash

from preprocessing.examples.philox import (
    BLOCKS,
    NUMBERS,
    below,
    fill_blocks,
    new_state,
    next_number,
    start_stream,
    stream_key,
    uniform,
)

# The known-answer vectors that the authors publish with Random123 (kat_vectors, philox4x32, 10 rounds).
VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_published_vectors(counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]) -> None:
    state = new_state()
    state[0:2] = key
    state[2:6] = counter
    fill_blocks(state)
    assert tuple(state[NUMBERS : NUMBERS + 4].tolist()) == expected


def block_by_definition(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Ten rounds as section 3.3 of the paper defines them, with Python's integers."""
    low = 0xFFFFFFFF
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c0, 1 << 32)
        high_1, low_1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return c0, c1, c2, c3


def test_a_stream_is_the_blocks_of_its_counters_in_order() -> None:
    state = new_state()
    key, document, place = 0xFEDCBA9876543210, 0x0123456789ABCDEF, 0xCAFEBABE
    start_stream(state, key, document, place)
    drawn = [int(next_number(state)) for _ in range(4 * (2 * BLOCKS + 1))]
    expected = [
        number
        for block in range(2 * BLOCKS + 1)
        for number in block_by_definition((0x76543210, 0xFEDCBA98), (block, place, 0x89ABCDEF, 0x01234567))
    ]
    assert drawn == expected


def test_the_counter_of_blocks_goes_round() -> None:
    state = new_state()
    state[2] = 0xFFFFFFFF
    fill_blocks(state)
    assert tuple(state[NUMBERS + 4 : NUMBERS + 8].tolist()) == block_by_definition((0, 0), (0, 0, 0, 0))


def test_a_stream_can_be_entered_at_any_time() -> None:
    state = new_state()
    start_stream(state, 2**63 + 5, 2**64 - 1, 7)
    first = [next_number(state) for _ in range(9)]
    start_stream(state, 2**63 + 5, 2**64 - 1, 8)
    other = [next_number(state) for _ in range(9)]
    start_stream(state, 2**63 + 5, 2**64 - 1, 7)
    assert [next_number(state) for _ in range(9)] == first
    assert not set(first) & set(other)


@pytest.mark.parametrize("bound", [2, 7, 100, 1000])
def test_integers_below_a_bound_are_equally_likely(bound: int) -> None:
    state = new_state()
    start_stream(state, 1, 2, 3)
    drawn = np.array([below(state, bound) for _ in range(100 * bound)])
    assert drawn.min() >= 0
    assert scipy.stats.chisquare(np.bincount(drawn, minlength=bound)).pvalue > 1e-4


def test_one_is_the_smallest_bound_and_two_to_the_32_the_largest() -> None:
    state = new_state()
    start_stream(state, 1, 2, 3)
    assert {below(state, 1) for _ in range(50)} == {0}
    assert max(below(state, 2**32) for _ in range(50)) > 2**30


def test_uniform_numbers_are_uniform() -> None:
    state = new_state()
    start_stream(state, 9, 9, 9)
    drawn = [uniform(state) for _ in range(20000)]
    assert scipy.stats.kstest(drawn, "uniform").pvalue > 1e-4


def test_the_key_depends_on_every_part() -> None:
    assert (
        len(
            {
                stream_key(1, "pairs", 128, 0),
                stream_key(2, "pairs", 128, 0),
                stream_key(1, "masks", 128, 0),
                stream_key(1, "pairs", 12, 80),
            }
        )
        == 4
    )


@pytest.mark.parametrize("bound", [1, 3, 7, 2**31 + 1, 3 * 2**30, 2**32 - 1, 2**32])
def test_integers_below_a_bound_are_those_of_the_definition(bound: int) -> None:
    """A number is passed over where the low half of its product with the bound is less than 2^32 mod the bound."""
    numbers, drawing = new_state(), new_state()
    for state in (numbers, drawing):
        start_stream(state, 5, 6, 7)
    for _ in range(100):
        product = int(next_number(numbers)) * bound
        while product % 2**32 < 2**32 % bound:
            product = int(next_number(numbers)) * bound
        assert below(drawing, bound) == product // 2**32


def test_uniform_numbers_are_the_bits_over_two_to_the_32() -> None:
    numbers, drawing = new_state(), new_state()
    for state in (numbers, drawing):
        start_stream(state, 5, 6, 7)
    assert [uniform(drawing) for _ in range(20)] == [int(next_number(numbers)) / 2**32 for _ in range(20)]


def test_a_key_is_the_hash_of_its_words() -> None:
    assert stream_key(12345, "pairs", 128, 0) == xxhash.xxh3_64_intdigest(b"12345/pairs/128/0")
