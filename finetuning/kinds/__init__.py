"""One file a kind of task: what a row is, how it is encoded, learnt, answered and scored.

In: a task and its records. Out: rows (`loading.read_split`), token ids (`Kind.encode` → `EncodedSplit`: flat int32
pieces with offsets), a model (`model.TaskModel`: packed batch → float32 logits of the kind's shape), answers
(`scoring.decode`), scores, and whether a run failed (`failure`). Everything that differs from kind to kind is a method
of `protocol.Kind`; a new kind is a module beside `classification.py` with its `KIND`, and a line in `registry.py`. No
other room asks which kind it has, but for the baselines, which have a learner for each.

Tasks are read without their kind in the room before; `loading.load_task` adds the kind's checks, so that arrows point
one way: tasks ← kinds. Open first: `protocol.py`, then `classification.py`.
"""

__all__ = [
    "answers",
    "batches",
    "constant",
    "encoding",
    "failure",
    "loading",
    "metrics",
    "model",
    "multi_label",
    "registry",
    "rows",
    "scoring",
]
