"""Benchmarks; every ratio compares within one run. Run as `python -m benchmarks.NAME`.

`python -m benchmarks` runs all of the CPU (`suite`). Rooms of their own are `gpu` (one GPU, part by part), `waits`
(what the host would wait for, counted without a GPU) and `finetuning` (scores next to the `Trainer`). No commands are
`command`, which all have in common, `step_time`, which others time, and what makes their input: `synthetic_shards`,
`wikipedia_corpus`.
"""
