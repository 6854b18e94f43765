"""What a job of several nodes looks at before its hours are spent: `python -m cluster.preflight`.

In: the ranks of a job, each of which knows its number, and `Options`, the limits. Out: on rank 0 a `Report`: a sentence
for each fault, which names the node and what to do, and a line of figures for each check. Open first: `suite.py`, the
checks in their order. `meeting.py` is how the ranks find each other and report, `hosts.py` what nodes are called. Every
other file is one check: a function that measures on one rank, and functions that judge what all ranks measured, which
are pure.
"""

__all__ = ["options", "suite"]
