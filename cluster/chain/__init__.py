"""The road as a chain of dependent Slurm jobs: what is missing is submitted, once.

In: a `run.toml` (`configuration`). `road` makes its stages, each checked by the stage's own command (`text_stages`,
`pretraining_stages`, `finetuning_stages`); `plan` decides what becomes of each, by the files that they leave, the
record of their jobs (`record`) and Slurm's queue (`slurm`). Out: jobs (`submission`), a script (`dry_run`), a table
(`table`) or a page (`page`).
Open first: `submission.py`, then `plan.py`.
"""

__all__ = ["configuration", "dry_run", "page", "record", "road", "slurm", "submission", "table"]
