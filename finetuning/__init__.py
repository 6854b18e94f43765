"""Stage 3: fine-tuning and evaluation, from a checkpoint to scores with their spread.

The road, room by room, each importing only from those before it: `tasks` (what a task is; files → records) →
`kinds` (one file a kind of task: records → rows → token ids → loss → answers → scores) → `run` (one run: train,
score, `result.json`) → `sweeps` (a table of runs, as processes) → `reporting` (results → report, submissions).
`recipes/` holds the benchmarks' task files. The files beside the rooms are commands, and what rooms share: `errors`,
`atomic_file`. Open first: `main.py`.
"""
