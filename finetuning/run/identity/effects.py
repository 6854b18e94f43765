"""What each field of a run's specification does: which ones a score depends on, and which may change under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Effect = Literal["score", "kept", "none"]
"""`score`: the score depends on it. `kept`: it says what is left beside the score. `none`: how and where a run is made.
"""

EFFECTS: Mapping[str, Effect] = {
    **dict.fromkeys(("task", "model", "data", "tokenizer", "random_weights"), "score"),
    **dict.fromkeys(("learning_rate", "batch_size", "epochs", "seed", "sequence_length"), "score"),
    **dict.fromkeys(("warmup_share", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon"), "score"),
    **dict.fromkeys(("bias_correction", "gradient_clip", "dropout", "group_by_length", "precision"), "score"),
    **dict.fromkeys(("skip_malformed", "context", "limit_train", "limit_dev", "stop_failed_after"), "score"),
    **dict.fromkeys(("save_model", "predict_test", "evaluate_every_epoch"), "kept"),
    **dict.fromkeys(("output", "device", "threads", "micro_batch_pieces", "zero_stage", "join_seconds"), "none"),
}
"""Every field of `RunSpec`. What another device makes of `precision` is in the result, and is compared."""


def fields_with(*effects: Effect) -> frozenset[str]:
    """The fields with one of these effects."""
    return frozenset(name for name, effect in EFFECTS.items() if effect in effects)
