"""What a task is, and its data as records.

In: a TOML file (`task.read_task`), and a benchmark's files or the Hugging Face hub. Out: a frozen `task.Task`, and
for each split `records.Record`s: a place for messages, and a value for each column. What a record means, the kinds
say: nothing here knows them. Open first: `task.py`, then `readers`.
"""

__all__ = ["readers", "records", "task"]
