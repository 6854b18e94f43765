"""Where a run starts from: the encoder and the tokenizer of a folder, or random weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import kind_of
from finetuning.kinds.registry import KINDS, kind_named
from finetuning.run.identity.inputs import RANDOM, is_random
from finetuning.run.specification import RunSpec
from finetuning.tasks.task import Task
from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertModel, SelfAttention
from pretraining.model.config import BertConfig
from pretraining.model.dropout import Dropout
from pretraining.model.huggingface import load_encoder, read_weights

PADDING = 128
"""Rows of embeddings beyond the vocabulary that are hardly padding: it goes up to a multiple of 64 or 128."""
CASED_SHARE = 0.01
"""Share of pieces with capitals that an uncased vocabulary has not: some have a few by accident."""
HEADS = tuple(sorted({f"{kind_named(name).head}." for name in KINDS}))
"""Where the weights of a head begin, in a model that was fine-tuned on any kind of task."""


@dataclass(frozen=True)
class Start:
    """The encoder and tokenizer that a run starts from."""

    encoder: BertModel
    tokenizer: Tokenizer
    fingerprint: str
    """sha256 of the weights, or of the configuration where they are random."""
    notes: tuple[str, ...] = ()


def load_start(spec: RunSpec, task: Task) -> Start:
    """Load what `spec.model` names; a head in it is left out. Random weights follow torch's random state.

    Raises:
        FinetuningError: no model there, weights missing or unexpected (all listed), or no tokenizer.
    """
    random = is_random(spec)
    folder = Path(spec.model.removeprefix(RANDOM))
    notes: list[str] = []
    try:
        if random:
            config = BertConfig.load(folder)
            encoder = BertModel(config)
            fingerprint = _configuration_fingerprint(config)
            folder = folder if folder.is_dir() else folder.parent
        else:
            _check_folder(folder)
            # A pooler never reaches the loss of span and token tasks, and models fine-tuned on them have none.
            has_pooler = "bert.pooler.dense.weight" in read_weights(folder)
            if not has_pooler and kind_of(task).uses_pooler:
                notes.append(f"{folder}: the checkpoint has no pooler; it starts from random weights")
            encoder = load_encoder(folder, new_pooler=not has_pooler, other_heads=HEADS)
            check_finite(encoder, folder)
            fingerprint = weights_fingerprint(encoder, with_pooler=has_pooler)
        tokenizer = Tokenizer.load(spec.tokenizer or folder)
    except (PretrainingError, PreprocessingError) as error:
        raise FinetuningError(str(error)) from None
    if tokenizer.vocabulary_size > encoder.config.vocab_size:
        raise FinetuningError(
            f"{spec.tokenizer or folder}: the tokenizer has {tokenizer.vocabulary_size} pieces, the model "
            f"{encoder.config.vocab_size}; give the tokenizer that the model was trained with"
        )
    if task.case_matters and tokenizer.lowercase:
        notes.append(
            f"{spec.tokenizer or folder}: the tokenizer makes small letters of capitals, by which names are known; "
            f"{task.title or task.name} wants a case-preserving (cased) model, as the published figures have it"
        )
    notes += _vocabulary_remarks(tokenizer, encoder.config.vocab_size, spec.tokenizer or folder)
    return Start(encoder, tokenizer, fingerprint, tuple(notes))


def model_fingerprint(spec: RunSpec) -> str:
    """What `load_start` would say is the fingerprint of the run's model; FinetuningError where it cannot be read."""
    folder = Path(spec.model.removeprefix(RANDOM))
    try:
        if is_random(spec):
            return _configuration_fingerprint(BertConfig.load(folder))
        _check_folder(folder)
        has_pooler = "bert.pooler.dense.weight" in read_weights(folder)
        return weights_fingerprint(
            load_encoder(folder, new_pooler=not has_pooler, other_heads=HEADS), with_pooler=has_pooler
        )
    except (PretrainingError, PreprocessingError) as error:
        raise FinetuningError(str(error)) from None


def _configuration_fingerprint(config: BertConfig) -> str:
    return hashlib.sha256(("random " + config.model_dump_json()).encode()).hexdigest()


def weights_fingerprint(encoder: BertModel, *, with_pooler: bool = True) -> str:
    """sha256 over the names, shapes and bytes of the encoder's weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        if with_pooler or not name.startswith("pooler."):
            digest.update(f"{name} {list(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def set_dropout(model: nn.Module, probability: float) -> None:
    """Set every dropout of the model, attention included."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.probability = probability
        if isinstance(module, SelfAttention):
            module.probability_dropout = probability


def check_finite(model: nn.Module, folder: Path) -> None:
    """FinetuningError where weights are no numbers: nothing is learnt of them, and every answer is the same."""
    wrong = [name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise FinetuningError(
            f"{folder}: {len(wrong)} of its weights hold NaN or infinity, the first {wrong[0]}; take an earlier "
            "checkpoint, or one of a run that did not diverge"
        )


def _vocabulary_remarks(tokenizer: Tokenizer, rows: int, where: Path) -> list[str]:
    """A tokenizer that may be another model's: fewer pieces than rows of embeddings, or the other case."""
    notes = []
    if rows - tokenizer.vocabulary_size >= PADDING:
        notes.append(
            f"{where}: the tokenizer has {tokenizer.vocabulary_size} pieces, the model {rows}; look whether they "
            "belong together"
        )
    letters = [token for index in tokenizer.ordinary_ids if (token := tokenizer.tokens[index].removeprefix("##"))]
    capitals = sum(token != token.lower() for token in letters)
    if tokenizer.lowercase and capitals > CASED_SHARE * len(letters):
        notes.append(
            f"{where}: the tokenizer makes small letters of capitals, but {capitals} pieces of its vocabulary have "
            "capitals and never come; a cased model needs its own tokenizer, which keeps them"
        )
    if not tokenizer.lowercase and not capitals and any(token != token.upper() for token in letters):
        notes.append(
            f"{where}: the tokenizer keeps capitals, but its vocabulary has none, so words with them become "
            "[UNK]; an uncased model needs its own tokenizer, which makes them small"
        )
    return notes


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FinetuningError(
            f"{folder}: no such folder; give a model's (config.json, model.safetensors), or random:CONFIG.json"
        )
