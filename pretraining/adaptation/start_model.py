"""The model that training starts from: the one to adapt, with every head that pretraining needs and every piece that
the text is to have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pretraining.adaptation.source_model import SourceModel
from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import import_bert
from pretraining.model_card.lineage import read_lineage, write_lineage
from pretraining.run.export_folder import write_export

_WORDS = ("bert.embeddings.word.weight", "mlm_head.decoder_weight")  # one tensor by two names
_BIAS = "mlm_head.decoder_bias"


@dataclass(frozen=True)
class Extension:
    """Pieces that a vocabulary gets."""

    folder: Path
    """Of the new tokenizer's files."""
    made_of: Mapping[int, Sequence[int]]
    """Id of each new piece → ids of the old ones that its word was cut into."""


def write_start(source: SourceModel, target: Path, seed: int, extension: Extension | None) -> None:
    """Writes the Hugging Face folder `target`, complete or not at all. Heads that are absent are drawn from `seed`."""
    torch.manual_seed(seed)
    model = import_bert(source.folder, new_heads=True)
    if extension is not None:
        model = with_new_pieces(model, extension.made_of)
    step = {
        "step": "start of an adaptation",
        "model": source.name,
        "drawn at random": list(source.absent),
        "new pieces": len(extension.made_of) if extension is not None else 0,
    }

    def describe(folder: Path) -> None:
        write_lineage(folder, read_lineage(source.folder), step)

    tokenizer = source.folder if extension is None else extension.folder
    write_export(model.state_dict(), model, tokenizer, target, describe)


def with_new_pieces(model: BertForPreTraining, made_of: Mapping[int, Sequence[int]]) -> BertForPreTraining:
    """The model with rows for new pieces: each the mean of the rows of the pieces that its word was cut into.

    The decoder is the same matrix, and its bias is a mean too, so a new piece is at first about as likely as its parts
    are together with each other, not noise. Mean of subwords: Sachidananda et al. 2021, "Efficient Domain Adaptation of
    Language Models via Adaptive Tokenization"; why a mean does no harm: Hewitt 2021, "Initializing New Word Embeddings
    for Pretrained Language Models". Rows of the model beyond its vocabulary are used before any is appended.
    """
    state = model.state_dict()
    before = state[_WORDS[0]]
    rows = max(len(before), max(made_of, default=0) + 1)
    words_vh, bias_v = torch.zeros(rows, before.shape[1]), torch.zeros(rows)
    words_vh[: len(before)], bias_v[: len(before)] = before, state[_BIAS]
    for index, parts in made_of.items():
        words_vh[index] = before[list(parts)].mean(0)
        bias_v[index] = state[_BIAS][list(parts)].mean()
    grown = BertForPreTraining(model.config.model_copy(update={"vocab_size": rows}))
    grown.load_state_dict({**state, **dict.fromkeys(_WORDS, words_vh), _BIAS: bias_v})
    return grown
