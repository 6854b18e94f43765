"""A run that is asked to end and later goes on, to the same result.

`interruption` takes the signals, `saved_training` saves and restores, `training_file` says without torch how far a run
is. In: signals, an engine and its position. Out: one file in the run's folder. Open first: `saved_training.py`.
"""

__all__ = ["interruption", "saved_training", "training_file"]
