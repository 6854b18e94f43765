"""One run, from a specification to `result.json`.

In: a `specification.RunSpec`. Out: a folder with `predictions-SPLIT.jsonl`, the benchmark's own files, the model if
asked for, and last `result.json` (`result.Result`). `finetune.run` is the story: splits, `start` (weights), encoding,
`loop` (batches, forward, backward, on an `engine`; `resume` after an interruption), `outcome` (scores), `checkpoint`. A
trained model answers in `answers`; a frozen encoder gives `features`, and `bilstm` learns on them. Open first:
`finetune.py`.
"""

__all__ = [
    "answers",
    "bilstm",
    "checkpoint",
    "engine",
    "features",
    "finetune",
    "identity",
    "loop",
    "model_card",
    "outcome",
    "ranks",
    "remarks",
    "result",
    "resume",
    "schedule",
    "specification",
    "splits",
    "start",
]
