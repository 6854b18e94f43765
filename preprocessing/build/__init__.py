"""The build of shards: two pure functions, the Beam graph around them, and the output folder.

In: splits and a configuration. `extract.extract_split`: a split → one file of tokens, dealt to buckets, or where these
are many to `partitions`, which `gather.gather_partition` deals on. `buckets.build_bucket`: a bucket's tokens → its
shards, without `exact_duplicates`. `graph.py` makes steps of Apache Beam of them (`preprocessing/jobs/`), through
which only numbers travel: what these stand for is read from sidecars (`references.py`), and `metrics.py` tells the
runner. `folder.py` starts and finishes the output folder. The room `corpus` is another job: documents, parsed once. In
`passes/` are the jobs that look at documents before a build. Open first: `graph.py`.
"""

__all__ = [
    "buckets",
    "configuration",
    "corpus",
    "extract",
    "folder",
    "gather",
    "graph",
    "idle_options",
    "partitions",
    "passes",
    "references",
]
