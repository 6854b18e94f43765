"""BERT weights from and to the Hugging Face layout: config.json, model.safetensors, tokenizer files.

Nothing is ever loaded in silence: weights that are missing or unexpected are listed in the error.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining, BertModel
from pretraining.model.config import BertConfig

logger = logging.getLogger(__name__)

WEIGHTS_FILE = "model.safetensors"
TOKENIZER_SETTINGS = "tokenizer_config.json"
TOKENIZER_FILES = ("vocab.txt", "tokenizer.json", TOKENIZER_SETTINGS, "special_tokens_map.json")

# (our module, their module); a layer's own modules are relative to `layers.N` and `encoder.layer.N`.
ENCODER_MODULES = (
    ("embeddings.word", "embeddings.word_embeddings"),
    ("embeddings.position", "embeddings.position_embeddings"),
    ("embeddings.segment", "embeddings.token_type_embeddings"),
    ("embeddings.norm", "embeddings.LayerNorm"),
    ("pooler.dense", "pooler.dense"),
)
LAYER_MODULES = (
    ("attention.output", "attention.output.dense"),
    ("attention_norm", "attention.output.LayerNorm"),
    ("feed_forward.intermediate", "intermediate.dense"),
    ("feed_forward.output", "output.dense"),
    ("feed_forward_norm", "output.LayerNorm"),
)
HEAD_MODULES = (
    ("mlm_head.dense", "cls.predictions.transform.dense"),
    ("mlm_head.norm", "cls.predictions.transform.LayerNorm"),
    ("nsp_head", "cls.seq_relationship"),
)
# Copies of other weights, and buffers: safe to leave out. The copies are checked to be copies.
COPIES = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
BUFFERS = frozenset({"bert.embeddings.position_ids", "bert.embeddings.token_type_ids"})


def import_bert(folder: Path, *, new_heads: bool = False) -> BertForPreTraining:
    """The model in `folder`, with its heads. `new_heads`: heads (and pooler) that are absent start at random."""
    config, weights = BertConfig.load(folder), read_weights(folder)
    model = BertForPreTraining(config)
    optional = ("cls.", "bert.pooler.") if new_heads else ()
    names = to_huggingface_names(model)
    _load(model, weights, names, folder, optional=optional)
    if anew := sorted({theirs for group in names.values() for theirs in group} - weights.keys()):
        logger.warning("%s: not in the checkpoint, started at random: %s", folder, ", ".join(anew))
    return model


def import_masked_lm(folder: Path) -> BertForPreTraining:
    """As `import_bert`, for its masked-token head alone: the next-sentence head and the pooler may be absent."""
    config, weights = BertConfig.load(folder), read_weights(folder)
    if not any(name.startswith("cls.predictions.") for name in weights):
        raise PretrainingError(
            f"{folder}: has no head for masked tokens (cls.predictions.…), as an encoder alone and a fine-tuned model "
            "have none; give the export of a pretraining run"
        )
    model = BertForPreTraining(config)
    _load(model, weights, to_huggingface_names(model), folder, optional=("cls.seq_relationship.", "bert.pooler."))
    return model


def load_encoder(folder: Path, *, new_pooler: bool = False, other_heads: tuple[str, ...] = ()) -> BertModel:
    """The encoder in `folder` (`BertModel` or `BertForPreTraining` layout); pretraining heads are left out.

    `new_pooler`: it starts at random where it is absent; who asks for that says what it means.
    `other_heads`: names, as `classifier.`, under which a fine-tuned model keeps a head to leave out as well.
    """
    config, weights = BertConfig.load(folder), read_weights(folder)
    model = BertModel(config)
    left_out = ("cls.", *(f"bert.{head}" for head in other_heads))
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith(left_out)}
    _load(model, weights, to_huggingface_names(model), folder, optional=("bert.pooler.",) if new_pooler else ())
    return model


def export_bert(model: BertForPreTraining | BertModel, folder: Path, tokenizer: Any = None) -> None:
    """Writes config.json, model.safetensors and the tokenizer, as `transformers.AutoModel` and its kin load them.

    `tokenizer`: a folder that holds tokenizer files, or an object with `save(folder, maximum_length)`.
    """
    export_state(model.state_dict(), model, folder, tokenizer)


def export_state(state: dict[str, Tensor], model: nn.Module, folder: Path, tokenizer: Any = None) -> None:
    """As `export_bert`, with the weights from `state` (by our names) instead of the model's own tensors."""
    if not isinstance(model, BertForPreTraining | BertModel):
        raise PretrainingError(f"cannot export a {type(model).__name__}: only BertModel and BertForPreTraining")
    with_heads = isinstance(model, BertForPreTraining)
    weights: dict[str, Tensor] = {}
    for ours, theirs in to_huggingface_names(model).items():
        tensor = state[ours].detach().to("cpu", torch.float32)
        parts = tensor.chunk(len(theirs)) if len(theirs) > 1 else (tensor,)
        for name, part in zip(theirs, parts, strict=True):
            # AutoModel expects an encoder alone without its prefix.
            weights[name if with_heads else name.removeprefix("bert.")] = part.clone(
                memory_format=torch.contiguous_format
            )
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(tokenizer, str | os.PathLike):
        _copy_tokenizer(Path(tokenizer), folder, model.config.max_position_embeddings)
    elif tokenizer is not None:
        tokenizer.save(folder, model.config.max_position_embeddings)
    part_file = folder / f".{WEIGHTS_FILE}.part"
    save_file(weights, part_file, metadata={"format": "pt"})
    os.replace(part_file, folder / WEIGHTS_FILE)
    settings = model.config.to_huggingface("BertForPreTraining" if with_heads else "BertModel")
    part_file = folder / ".config.json.part"
    part_file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part_file, folder / "config.json")  # last: a folder with a config.json is complete


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All weights in `folder` by today's Hugging Face names with the `bert.` prefix, as float32."""
    path = folder if folder.is_file() else folder / WEIGHTS_FILE
    pickled = folder / "pytorch_model.bin"
    index = folder / f"{WEIGHTS_FILE}.index.json"
    try:
        if path.is_file():
            raw = load_file(path)
        elif index.is_file():
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            raw = {}
            for shard in shards:
                raw.update(load_file(folder / Path(shard).name))
        elif pickled.is_file():
            path = pickled
            raw = torch.load(pickled, map_location="cpu", weights_only=True)
        else:
            raise PretrainingError(f"{folder}: holds neither {WEIGHTS_FILE} nor pytorch_model.bin: give a model folder")
    except PretrainingError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, EOFError) as error:
        raise PretrainingError(f"{path}: cannot be read ({type(error).__name__}); fetch the file again") from error
    except Exception as error:  # torch.load raises pickle's own errors for what weights_only refuses
        raise PretrainingError(f"{path}: refused, it holds more than tensors; convert it to safetensors") from error
    return {_modern_name(name): tensor.to(torch.float32) for name, tensor in raw.items()}


def _modern_name(name: str) -> str:
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
    return name if name.startswith(("bert.", "cls.")) else f"bert.{name}"


def to_huggingface_names(model: BertForPreTraining | BertModel) -> dict[str, tuple[str, ...]]:
    """Our parameter name → the Hugging Face name, or the three whose rows are stacked in it (query, key, value)."""
    with_heads = isinstance(model, BertForPreTraining)
    prefix = "bert." if with_heads else ""
    modules = [(prefix + ours, f"bert.{theirs}") for ours, theirs in ENCODER_MODULES]
    names: dict[str, tuple[str, ...]] = {}
    for layer in range(model.config.num_hidden_layers):
        ours_layer, theirs_layer = f"{prefix}layers.{layer}.", f"bert.encoder.layer.{layer}."
        modules += [(ours_layer + ours, theirs_layer + theirs) for ours, theirs in LAYER_MODULES]
        for kind in ("weight", "bias"):
            names[f"{ours_layer}attention.qkv.{kind}"] = tuple(
                f"{theirs_layer}attention.self.{part}.{kind}" for part in ("query", "key", "value")
            )
    if with_heads:
        modules += HEAD_MODULES
        names["mlm_head.decoder_bias"] = ("cls.predictions.bias",)
    for ours, theirs in modules:
        for kind in ("weight",) if theirs.endswith("_embeddings") else ("weight", "bias"):
            names[f"{ours}.{kind}"] = (f"{theirs}.{kind}",)
    return names


def _load(
    model: BertForPreTraining | BertModel,
    weights: dict[str, Tensor],
    names: dict[str, tuple[str, ...]],
    folder: Path,
    optional: tuple[str, ...],
) -> None:
    state = model.state_dict()
    wanted = {theirs for group in names.values() for theirs in group}
    for copy, original in COPIES.items():
        if copy in weights and original in weights and not torch.equal(weights[copy], weights[original]):
            raise PretrainingError(f"{folder}: {copy} differs from {original}: the decoder of BERT is tied to it")
        if original not in weights and copy in weights and original in wanted:
            weights[original] = weights[copy]
    missing = sorted(name for name in wanted - weights.keys() if not name.startswith(optional or ("\0",)))
    unexpected = sorted(weights.keys() - wanted - COPIES.keys() - BUFFERS)
    if missing or unexpected:
        raise PretrainingError(
            f"{folder}: the weights do not fit this model; "
            f"missing: {_listed(missing)}; unexpected: {_listed(unexpected)}"
        )
    for ours, theirs in names.items():
        if all(name in weights for name in theirs):
            tensor = torch.cat([weights[name] for name in theirs])
            if tensor.shape != state[ours].shape:
                raise PretrainingError(
                    f"{folder}: {theirs[0]} has shape {list(tensor.shape)} where config.json asks for "
                    f"{list(state[ours].shape)}: the weights belong to another configuration"
                )
            state[ours].copy_(tensor)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _copy_tokenizer(source: Path, folder: Path, positions: int) -> None:
    found = [name for name in TOKENIZER_FILES if (source / name).is_file()]
    if "vocab.txt" not in found and "tokenizer.json" not in found:
        raise PretrainingError(f"{source}: holds no vocab.txt and no tokenizer.json: give a tokenizer folder")
    for name in found:
        part_file = folder / f".{name}.part"
        shutil.copyfile(source / name, part_file)
        if name == TOKENIZER_SETTINGS:
            _set_length(part_file, positions)
        os.replace(part_file, folder / name)


def _set_length(settings_file: Path, positions: int) -> None:
    """`transformers` cuts texts at the tokenizer's own length when it is asked to cut: it must be that of the model."""
    try:
        settings = json.loads(settings_file.read_text(encoding="utf-8"))
        settings["model_max_length"] = positions
    except (ValueError, TypeError):
        return  # not ours to mend, and the tokenizer needs none of it
    settings_file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
