"""Random numbers of a step: of the seed, the step and the rank, and of nothing that happened before."""

import random

import numpy as np
import torch

from pretraining.run.step_seed import seed_step


def drawn() -> tuple[float, float, float]:
    return float(torch.rand(1)), float(np.random.rand()), random.random()


def test_whatever_was_drawn_before() -> None:
    seed_step(5, 7, 1)
    first = drawn()
    torch.randn(100), np.random.rand(3), random.random()
    seed_step(5, 7, 1)
    assert drawn() == first


def test_seeds_steps_and_ranks_have_streams_of_their_own() -> None:
    found = set()
    for seed, step, rank in ((5, 7, 1), (5, 7, 0), (5, 8, 1), (6, 7, 1), (7, 5, 1)):
        seed_step(seed, step, rank)
        found.add(drawn())
    assert len(found) == 5
    assert len({numbers[0] for numbers in found}) == 5
