"""What a run needs, before it runs.

In: the model's shape, the batch, the ranks. Out: floating-point operations (`flops.py`), and bytes per rank by ZeRO
stage (`memory.py`).
"""

__all__ = ["flops", "memory"]
