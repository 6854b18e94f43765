"""A chain of this project's own commands on one machine, for the demo and the reproduction.

`chain.py`, to open first, runs stages in turn and skips what is complete; `commands.py` writes their command lines, and
`program.py` is how a command that runs a chain begins and ends.
"""

__all__ = ["chain", "commands", "program"]
