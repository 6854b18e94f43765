"""The fine-tuned model that a run leaves: a Hugging Face folder with the task beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from finetuning.atomic_file import replacing, write_json
from finetuning.errors import FinetuningError
from finetuning.kinds.loading import kind_of, parse_task
from finetuning.kinds.model import TaskModel
from finetuning.run.start import HEADS, check_finite
from finetuning.tasks.task import Task
from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.errors import PretrainingError
from pretraining.model.huggingface import load_encoder, read_weights, to_huggingface_names

TASK_FILE = "task.json"


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model with all that it takes to use it."""

    model: TaskModel
    tokenizer: Tokenizer
    task: Task
    labels: tuple[str, ...]
    sequence_length: int


def save_fine_tuned(folder: Path, fine_tuned: FineTuned) -> None:
    """Write the model as `transformers` loads it (`BertForSequenceClassification`, …), tokenizer and task beside it."""
    model, kind, encoder = fine_tuned.model, fine_tuned.model.kind, fine_tuned.model.encoder
    state = encoder.state_dict()
    weights: dict[str, Tensor] = {}
    for ours, theirs in to_huggingface_names(encoder).items():
        if not kind.uses_pooler and ours.startswith("pooler."):
            continue
        for name, part in zip(theirs, state[ours].detach().cpu().float().chunk(len(theirs)), strict=True):
            weights[name] = part.contiguous().clone()
    weights[f"{kind.head}.weight"] = model.head.weight.detach().cpu().float().contiguous()
    weights[f"{kind.head}.bias"] = model.head.bias.detach().cpu().float().contiguous()
    settings = encoder.config.to_huggingface(kind.architecture) | kind.huggingface_settings(fine_tuned.labels)
    with replacing(folder / "model.safetensors") as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    fine_tuned.tokenizer.save(folder, encoder.config.max_position_embeddings)
    content = {
        "task": fine_tuned.task.model_dump(mode="json"),
        "labels": list(fine_tuned.labels),
        "sequence_length": fine_tuned.sequence_length,
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
    task, labels, sequence_length = read_description(folder)
    try:
        kind = kind_of(task)
        encoder = load_encoder(folder, new_pooler=not kind.uses_pooler, other_heads=HEADS)
        tokenizer = Tokenizer.load(folder)
        weights = read_weights(folder)
    except (PretrainingError, PreprocessingError) as error:
        raise FinetuningError(str(error)) from None
    model = TaskModel(encoder, kind, len(labels))
    name = f"bert.{kind.head}"
    head = {part: weights.get(f"{name}.{part}") for part in ("weight", "bias")}
    for part, tensor in head.items():
        wanted = getattr(model.head, part).shape
        if tensor is None or tensor.shape != wanted:
            found = "missing" if tensor is None else f"of shape {list(tensor.shape)}"
            raise FinetuningError(f"{folder}: {name}.{part} is {found}, the task needs {list(wanted)}; save it again")
    model.head.load_state_dict(head)
    check_finite(model, folder)
    return FineTuned(model.eval(), tokenizer, task, labels, sequence_length)


def read_description(folder: Path) -> tuple[Task, tuple[str, ...], int]:
    """What a saved model's `task.json` says: the task, the classes in the order of the logits, the sequence length.

    Raises:
        FinetuningError: there is none, or it is damaged.
    """
    try:
        content: dict[str, Any] = json.loads((folder / TASK_FILE).read_bytes())
        task = parse_task(content["task"], str(folder / TASK_FILE))
        return task, tuple(content["labels"]), int(content["sequence_length"])
    except FileNotFoundError:
        raise FinetuningError(
            f"{folder}: no {TASK_FILE} there, so it is no fine-tuned model; run finetuning.main with --save-model"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise FinetuningError(f"{folder / TASK_FILE}: damaged ({error!r}); save the model again") from None
