"""Benchmarks; every ratio compares within one run. Run as `python -m benchmarks.NAME`."""
