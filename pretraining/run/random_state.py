"""Every random state of a rank, as plain data that ``torch.load(weights_only=True)`` reads."""

import random
from typing import Any

import numpy as np
import torch


def capture() -> dict[str, Any]:
    """States of torch (CPU and this rank's GPU), numpy and Python."""
    numpy_state: Any = np.random.get_state(legacy=True)
    algorithm, keys, position, has_gauss, cached = numpy_state
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [
            str(algorithm),
            torch.from_numpy(keys.astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ],
        "python": [version, list(words), gauss],
    }


def restore(states: dict[str, Any]) -> None:
    """Puts this rank back where ``capture`` was called."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    algorithm, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))


def seed_rank(seed: int, rank: int, step: int = 0) -> None:
    """Independent streams for every rank and starting step: dropout must differ between ranks."""
    state = np.random.SeedSequence([seed, step, 1 + rank]).generate_state(2)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))
    random.seed(int(state[1]))
