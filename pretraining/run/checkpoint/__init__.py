"""A run's state on disk: saved complete or not at all, resumed exactly, on any number of ranks.

In: a DeepSpeed engine and the run's own state. Out: `RUN/checkpoints/stepN/`: each rank's slices of weights and moments
by parameter name (`slices.py`), what is common to all, and a manifest with the sha256 of every file, last
(`files.py`). Open first: `save.py` and `resume.py`; `identity.py` says what may differ between the two, `reader.py`
finds any range of a parameter again, whoever wrote it.
"""

__all__ = ["files", "identity", "reader", "resume", "save"]
