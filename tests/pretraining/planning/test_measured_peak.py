"""The measured peak disturbs nothing of a run."""

import torch

from pretraining.planning.measured_peak import measure_matmul_tflops


def test_measuring_the_peak_leaves_the_random_numbers_of_a_run_alone() -> None:
    """A resumed run measures it after its random state is restored; its dropout must go on where it stopped."""
    before = torch.get_rng_state()
    assert measure_matmul_tflops(torch.float32, seconds=0.0, size=8) > 0
    assert torch.equal(torch.get_rng_state(), before)
