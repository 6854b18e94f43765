"""What a run needs, before it runs.

In: the model's shape, the batch, the ranks, the card. Out: bytes per rank by ZeRO stage (`memory.py`) and the largest
micro-batch that fits (`micro_batch.py`); floating-point operations (`flops.py`), what a card reaches at most
(`cards.py`, or `measured_peak.py`), the hours that all of it takes on so many cards (`forecast.py`), and their price
(`cost.py`). `plan.py` puts them together. Open first: `plan.py`.
"""

__all__ = [
    "cards",
    "communication",
    "cost",
    "flops",
    "forecast",
    "measured_peak",
    "memory",
    "micro_batch",
    "page",
    "plan",
]
