"""The build of shards: two pure functions, the Beam graph around them, and the output folder.

In: splits and a configuration. `extract.extract_split`: a split → one file of tokens, dealt to buckets, or where these
are many to `partitions`, which `gather.gather_partition` deals on. `buckets.build_bucket`: a bucket's tokens → its
shards, without `exact_duplicates`. `graph.py` makes `steps` of Apache Beam of them, through which only numbers travel
(`splits.py` and `references.py` say what they stand for; `metrics.py` tells the runner); `folder.py` starts and
finishes the output folder; `runners.py` speaks Beam's options, `local_worker.py` is a process of the local engine;
`word_counts.py` is another Beam job, what a vocabulary is learnt from, and the room `corpus` a third: documents, parsed
once. In `passes/` are the jobs that look at documents before a build. Open first: `graph.py`.
"""

__all__ = [
    "buckets",
    "configuration",
    "corpus",
    "extract",
    "failures",
    "folder",
    "gather",
    "graph",
    "idle_options",
    "local_worker",
    "partitions",
    "passes",
    "references",
    "runners",
    "splits",
    "steps",
    "watch",
    "word_counts",
]
