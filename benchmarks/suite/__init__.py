"""All benchmarks of the CPU, one after the other, and what they found: `python -m benchmarks`.

In: `cases.py`, the table of what is run, with which options, next to whom. Out: tables and text. `execution.py` runs a
command in a process of its own and takes its time and memory, `figures.py` has medians and spreads, `machine.py` tells
where all that was measured, `results.py` writes it down. Open first: `cases.py`.
"""

__all__ = ["cases", "execution", "figures", "machine", "results"]
