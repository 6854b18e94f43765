"""BERT as published, on packed tokens, from the input to the loss, and its weights in and out.

In: a `packing.PackedBatch`: the tokens of a micro-batch end to end, ids [t] int64 with `cu_seqlens` [s + 1] int32, no
padding. Out: sums of both losses in float32 (`bert.PreTrainingSums`), hidden states [t, h], pooled [CLS] [s, h]. Open
first: `bert.py`, top to bottom. Attention has one file a device behind `attention.py`; `masked_loss.py` is the
decoder with its cross-entropy; `huggingface.py` exchanges weights with Hugging Face.
"""

__all__ = [
    "attention",
    "attention_cuda",
    "bert",
    "config",
    "dropout",
    "huggingface",
    "linear",
    "packing",
    "sequence_layout",
]
