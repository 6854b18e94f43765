"""Pretraining by `transformers` on our shards for a budget, as `python -m benchmarks.transformers_pretraining` does it.

In: a recipe and shards. Out: a folder with `metrics.jsonl`, `export/`, and `result.json` last. Open first: `run.py`,
one run from its first weights to its figures. `settings.py` is what is asked for, `records.py` the shards as `datasets`
and a collator give them, `peer.py` the model and its optimiser; `trainer.py` and `plain.py` are two loops, and
`journal.py` is what both write down; `outcome.py` exports and evaluates.
"""
