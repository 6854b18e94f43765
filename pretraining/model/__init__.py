"""BERT as published, on packed tokens, from the input to the loss, and its weights in and out.

In: a `packing.PackedBatch`: the tokens of a micro-batch end to end, ids [t] int64 with `cu_seqlens` [s + 1] int32, no
padding. Out: sums of both losses in float32 (`loss.PreTrainingSums`), hidden states [t, h], [CLS] pooled [s, h]. Open
first: `bert.py`, top to bottom. Attention has one file a device behind `attention.py`; `loss.py` is the loss, with the
decoder and its cross-entropy in `masked_token_loss.py`; `huggingface.py` exchanges weights with Hugging Face;
`fp8_linear.py` is another way to compute the linear layers, `neighbour_start.py` another way to begin.
"""

__all__ = [
    "attention",
    "attention_cuda",
    "bert",
    "config",
    "dropout",
    "dropout_keys",
    "fp8_linear",
    "huggingface",
    "linear",
    "loss",
    "masked_token_loss",
    "neighbour_start",
    "packing",
    "sequence_layout",
]
