"""Where a run starts from, and the fine-tuned model that it leaves: a Hugging Face folder with the task beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from finetuning.atomic_file import replacing, write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.heads import HUGGINGFACE_HEADS, TaskModel
from finetuning.run.result import RunSpec
from finetuning.tasks.task import Task, parse_task
from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertModel, SelfAttention
from pretraining.model.config import BertConfig
from pretraining.model.dropout import Dropout
from pretraining.model.huggingface import load_encoder, read_weights, to_huggingface_names

TASK_FILE = "task.json"
RANDOM = "random:"
_HEADS = tuple(sorted({f"{head}." for _, head in HUGGINGFACE_HEADS.values()}))


@dataclass(frozen=True)
class Start:
    """The encoder and tokenizer that a run starts from."""

    encoder: BertModel
    tokenizer: Tokenizer
    fingerprint: str
    """sha256 of the weights, or of the configuration where they are random."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model with all that it takes to use it."""

    model: TaskModel
    tokenizer: Tokenizer
    task: Task
    labels: tuple[str, ...]
    max_length: int


def load_start(spec: RunSpec, task: Task) -> Start:
    """Load what `spec.model` names; a head in it is left out. Random weights follow torch's random state.

    Raises:
        FinetuningError: no model there, weights missing or unexpected (all listed), or no tokenizer.
    """
    random = spec.random_weights or spec.model.startswith(RANDOM)
    folder = Path(spec.model.removeprefix(RANDOM))
    notes: list[str] = []
    try:
        if random:
            config = BertConfig.load(folder)
            encoder = BertModel(config)
            fingerprint = hashlib.sha256(("random " + config.model_dump_json()).encode()).hexdigest()
            folder = folder if folder.is_dir() else folder.parent
        else:
            _check_folder(folder)
            # A pooler never reaches the loss of span and token tasks, and models fine-tuned on them have none.
            has_pooler = "bert.pooler.dense.weight" in read_weights(folder)
            if not has_pooler and task.kind not in ("span", "token"):
                notes.append(f"{folder}: the checkpoint has no pooler; it starts from random weights")
            encoder = load_encoder(folder, new_pooler=not has_pooler, other_heads=_HEADS)
            fingerprint = weights_fingerprint(encoder, with_pooler=has_pooler)
        tokenizer = Tokenizer.load(spec.tokenizer or folder)
    except (PretrainingError, PreprocessingError) as error:
        raise FinetuningError(str(error)) from None
    if tokenizer.vocabulary_size > encoder.config.vocab_size:
        raise FinetuningError(
            f"{spec.tokenizer or folder}: the tokenizer has {tokenizer.vocabulary_size} pieces, the model "
            f"{encoder.config.vocab_size}; give the tokenizer that the model was trained with"
        )
    return Start(encoder, tokenizer, fingerprint, tuple(notes))


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


def save_fine_tuned(folder: Path, fine_tuned: FineTuned) -> None:
    """Write the model as `transformers` loads it (`BertForSequenceClassification`, …), tokenizer and task beside it."""
    model, encoder = fine_tuned.model, fine_tuned.model.encoder
    state = encoder.state_dict()
    weights: dict[str, Tensor] = {}
    for ours, theirs in to_huggingface_names(encoder).items():
        if model.kind in ("span", "token") and ours.startswith("pooler."):
            continue
        for name, part in zip(theirs, state[ours].detach().cpu().float().chunk(len(theirs)), strict=True):
            weights[name] = part.contiguous().clone()
    architecture, head = HUGGINGFACE_HEADS[model.kind]
    weights[f"{head}.weight"] = model.head.weight.detach().cpu().float().contiguous()
    weights[f"{head}.bias"] = model.head.bias.detach().cpu().float().contiguous()
    settings = encoder.config.to_huggingface(architecture)
    if model.kind in ("classification", "token"):
        settings["id2label"] = {str(index): label for index, label in enumerate(fine_tuned.labels)}
        settings["label2id"] = {label: index for index, label in enumerate(fine_tuned.labels)}
    elif model.kind == "regression":
        settings |= {"id2label": {"0": "score"}, "label2id": {"score": 0}, "problem_type": "regression"}
    with replacing(folder / "model.safetensors") as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    fine_tuned.tokenizer.save(folder)
    content = {
        "task": fine_tuned.task.model_dump(mode="json"),
        "labels": list(fine_tuned.labels),
        "max_length": fine_tuned.max_length,
    }
    write_json(folder / TASK_FILE, content)
    write_json(folder / "config.json", settings)


def load_fine_tuned(folder: Path) -> FineTuned:
    """Load a model that `save_fine_tuned` wrote (or a run's folder that holds one in `model/`).

    Raises:
        FinetuningError: no such model, or a file of it is damaged.
    """
    if not (folder / TASK_FILE).is_file() and (folder / "model" / TASK_FILE).is_file():
        folder = folder / "model"
    try:
        content: dict[str, Any] = json.loads((folder / TASK_FILE).read_bytes())
        task = parse_task(content["task"], str(folder / TASK_FILE))
        labels, max_length = tuple(content["labels"]), int(content["max_length"])
    except FileNotFoundError:
        raise FinetuningError(
            f"{folder}: no {TASK_FILE} there, so it is no fine-tuned model; run finetuning.main with --save-model"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise FinetuningError(f"{folder / TASK_FILE}: damaged ({error!r}); save the model again") from None
    try:
        token_level = task.kind in ("span", "token")
        encoder = load_encoder(folder, new_pooler=token_level, other_heads=_HEADS)
        tokenizer = Tokenizer.load(folder)
        weights = read_weights(folder)
    except (PretrainingError, PreprocessingError) as error:
        raise FinetuningError(str(error)) from None
    model = TaskModel(encoder, task.kind, len(labels))
    name = f"bert.{HUGGINGFACE_HEADS[task.kind][1]}"
    head = {kind: weights.get(f"{name}.{kind}") for kind in ("weight", "bias")}
    for kind, tensor in head.items():
        wanted = getattr(model.head, kind).shape
        if tensor is None or tensor.shape != wanted:
            found = "missing" if tensor is None else f"of shape {list(tensor.shape)}"
            raise FinetuningError(f"{folder}: {name}.{kind} is {found}, the task needs {list(wanted)}; save it again")
    model.head.load_state_dict(head)
    return FineTuned(model.eval(), tokenizer, task, labels, max_length)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FinetuningError(
            f"{folder}: no such folder; give a model's (config.json, model.safetensors), or random:CONFIG.json"
        )
