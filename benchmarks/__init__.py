"""Benchmarks; every ratio compares within one run. Run as `python -m benchmarks.NAME`.

Two are rooms: `gpu` (one GPU, part by part) and `waits` (what the host would wait for, counted without a GPU). No
commands are `step_time`, which others time, and what makes their input: `synthetic_shards`, `wikipedia_corpus`.
"""
