"""What makes two runs the same run: the options that a score depends on, and the files that were read.

In: a `RunSpec` and the disk. Out: `effects.EFFECTS`, one word for each option; `inputs.Inputs`, kept in a run's result.
Open first: `effects.py`.
"""

__all__ = ["effects", "inputs"]
