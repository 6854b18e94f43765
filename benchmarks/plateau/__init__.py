"""What lets a small model leave the unigram plateau: short runs that differ in one thing (docs/plateau.md).

Open first: `settings.py`, the runs; `training.py` is one of them, `table.py` what they showed.
"""
