"""A table of runs, as processes: each exactly once, however often the sweep is killed.

In: a `config.SweepConfig` (tasks × learning rates × batch sizes × epochs × seeds, for each model). Out: a folder with
one run's folder for each row of the table, `logs/`, `plans/` and `sweep.json`. `grid` makes the rows, `plan` keeps
them, `stages` says what waits for what, `arrays` submits them to Slurm within its `limits`; `capacity` how many at
once, `child_processes` the processes, `attempts` their traces, `reuse` whether an old result stands; `durations`,
`announcement` and `progress_line` say for how long, and how far it is. Open first: `whole_sweep.py`.
"""

__all__ = ["arrays", "attempts", "config", "grid", "limits", "plan", "stages", "table", "whole_sweep"]
