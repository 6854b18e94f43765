"""What a run needs, before it runs.

In: the model's shape, the batch, the ranks. Out: floating-point operations and what GPUs reach at most (`flops.py`),
what a CPU reaches (`measured_peak.py`), and bytes per rank by ZeRO stage (`memory.py`).
"""

__all__ = ["flops", "measured_peak", "memory"]
