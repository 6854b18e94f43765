"""Optimisers and learning rates.

In: a model's parameters, in two groups: decayed, and biases with LayerNorm. Out: a `torch.optim.Optimizer`, and the
rate of each step. Open first: `optimizers.py`; LAMB's trust ratio is in `lamb.py`, and `zero_layout.py` finds each
parameter in the flat tensors that ZeRO makes of them, for LAMB (`lamb_layout.py`) and for checkpoints. `schedules.py`
are pure functions of the step, or of the time.
"""

__all__ = ["lamb", "lamb_layout", "optimizers", "options", "schedules", "zero_layout"]
