"""What keeps a run alive, and what ends it well: signals, lost and stuck ranks, bad numbers.

In: signals, the other ranks' signs of life, each step's numbers. Out: one decision that all ranks share: go on, stop
with a checkpoint, go back to one, or end with a sentence and an exit code. Open first: `stop.py` (signals) with
`agreement.py` (all ranks at the same step), then `monitor.py` (lost and stuck ranks) and `bad_steps.py` with
`rewind.py` (back to a checkpoint).
"""

__all__ = [
    "agreement",
    "bad_steps",
    "finite",
    "launcher",
    "monitor",
    "rewind",
    "stop",
    "time_limit",
]
