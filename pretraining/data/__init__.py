"""Shards → global batches, the same whatever the number of ranks.

In: shards, and a position in the stateless order (epoch, index). Out: `loader.GlobalBatch`: this rank's micro-batches
(packed tokens) and the exact counts of the whole step. Open first: `loader.py`; `sampler.py` is the order,
`batching.py` cuts a batch by length; `dealing.py` deals it out in equal parts instead, which are filled up to the few
shapes of `shape_ladder.py`. `examples.py` reads from the shards that `mapped_shards.py` maps, by the compiled
loops of `packing_loops.py`, and `dynamic_masking.py` draws new masks; `fingerprint.py` says what was in a batch, and
`shard_check.py` looks at the shards before a run; `unigram.py` says what prediction by frequency alone comes to.
"""

__all__ = [
    "batching",
    "dealing",
    "dynamic_masking",
    "examples",
    "loader",
    "mapped_shards",
    "sampler",
    "shape_ladder",
    "shard_check",
    "unigram",
]
