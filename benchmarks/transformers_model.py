"""A model of ours as the `transformers` model of the same weights, as a peer of benchmarks."""

import tempfile
from pathlib import Path
from typing import Any

from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import export_bert


def as_transformers(model: BertForPreTraining) -> Any:
    """`transformers.BertForPreTraining` with sdpa, its fastest attention on the CPU, ready to train."""
    import transformers  # late: it takes seconds, also before a wrong option

    with tempfile.TemporaryDirectory() as folder:
        export_bert(model, Path(folder))
        return transformers.BertForPreTraining.from_pretrained(folder, attn_implementation="sdpa").train()
