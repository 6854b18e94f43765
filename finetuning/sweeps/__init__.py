"""A table of runs, as processes: each exactly once, however often the sweep is killed.

In: a `config.SweepConfig` (tasks × learning rates × batch sizes × epochs × seeds, for each model). Out: a folder with
one run's folder for each row of the table, `logs/`, and `sweep.json`. `grid` makes the rows, `stages` what waits for
what, `capacity` how many at once, `child_processes` the processes, `attempts` their traces, `reuse` whether an old
result stands. Open first: `whole_sweep.py`.
"""

__all__ = ["attempts", "config", "grid", "stages", "table", "whole_sweep"]
