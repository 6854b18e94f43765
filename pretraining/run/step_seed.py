"""Random numbers of a step: a function of the seed, the step and the rank, and of nothing that happened before.

The generators are set anew before every step. So a resumed run draws what an undisturbed one draws, whatever was
drawn in between, and a checkpoint needs no random states.
"""

import random

import numpy as np
import torch


def seed_step(seed: int, step: int, rank: int) -> None:
    """Sets torch's generators (CPU and this rank's GPU), numpy's and Python's for update `step` (from 0)."""
    words = np.random.SeedSequence([seed, step, 1 + rank]).generate_state(2)
    torch.default_generator.manual_seed(int(words[0]))
    if torch.cuda.is_available():
        torch.cuda.manual_seed(int(words[0]))
    np.random.seed(int(words[1]))
    random.seed(int(words[1]))
