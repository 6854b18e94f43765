"""The table of runs, and running it."""
