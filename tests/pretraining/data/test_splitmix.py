import numpy as np

from pretraining.data.splitmix import mix


def test_the_published_generator_of_seed_0() -> None:
    """The first outputs of `splitmix64.c` (Vigna, https://prng.di.unimi.it/splitmix64.c) with state 0."""
    state, outputs = 0, []
    for _ in range(3):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        with np.errstate(over="ignore"):
            outputs.append(int(mix(np.uint64(state))))
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
