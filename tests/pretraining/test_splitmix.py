"""The hash next to the published generator."""

import numpy as np

from pretraining.splitmix import draw


def test_the_published_generator_of_seed_0() -> None:
    """The first outputs of `splitmix64.c` (Vigna, https://prng.di.unimi.it/splitmix64.c) with state 0."""
    outputs = [int(draw(np.uint64(0), counter)) for counter in range(3)]
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
