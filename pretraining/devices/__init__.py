"""What the device of a rank can do, and what follows from it for the precision of a run.

In: a `torch.device`, and the precision that was asked for. Out: `abilities.Abilities`, and a `precision.Choice` with
the sentence that says why. Open first: `precision.py`. `transfer.py` brings tensors there without a wait;
`freed_memory.py` keeps on the CPU what a step has freed.
"""

__all__ = ["abilities", "freed_memory", "precision", "transfer"]
