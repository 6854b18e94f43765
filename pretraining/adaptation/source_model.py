"""The model to adapt: found on this machine or on the hub, and looked at before anything is computed.

Only safetensors are read: a `.bin` is a pickle, which runs what is in it.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.model_card.lineage import weights_hash

_WEIGHTS = "model.safetensors"
_INDEX = f"{_WEIGHTS}.index.json"
_FILES = ("config.json", "*.safetensors", _INDEX, "vocab.txt", "tokenizer.json", "tokenizer_config.json")
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
PARTS = {
    "the head for masked tokens": "cls.predictions.transform.",
    "the head for next sentences": "cls.seq_relationship.",
    "the pooler": "pooler.",
}
"""What a BERT may lack, and how its weights are called on Hugging Face."""


@dataclass(frozen=True)
class SourceModel:
    """A BERT as Hugging Face keeps it."""

    name: str
    """As it was asked for."""
    folder: Path
    config: BertConfig
    tokenizer: Tokenizer
    absent: tuple[str, ...]
    """Those of `PARTS` that it has not, and that start at random."""
    weights: str
    """sha256 (hexadecimal) of the file of weights."""

    @property
    def has_pairs(self) -> bool:
        """Whether it was trained on pairs of sentences."""
        return "the head for next sentences" not in self.absent


def find_model(name: str, revision: str | None = None) -> SourceModel:
    """The model of a folder (a run's, its export, any of Hugging Face's), or else of the hub.

    Raises PretrainingError for what is no BERT, has no tokenizer, or holds its weights otherwise than as safetensors.
    """
    folder = _export_of(Path(name)) if Path(name).is_dir() else _from_hub(name, revision)
    if not (folder / "config.json").is_file():
        raise PretrainingError(
            f"--model {name}: {folder} has no config.json, so it is neither a Hugging Face folder nor a run that has "
            "finished; give one of these"
        )
    config = BertConfig.load(folder)
    names = _weight_names(folder)
    absent = tuple(part for part, prefix in PARTS.items() if not any(_is_of(prefix, one) for one in names))
    tokenizer = _tokenizer(folder)
    if tokenizer.vocabulary_size > config.vocab_size:
        raise PretrainingError(
            f"--model {name}: the vocabulary has {tokenizer.vocabulary_size} pieces and the embedding "
            f"{config.vocab_size} rows; put the tokenizer there that the model was trained with"
        )
    weights = weights_hash(folder)
    assert weights is not None  # their names were read
    return SourceModel(name, folder, config, tokenizer, absent, weights)


def _export_of(folder: Path) -> Path:
    """The folder, or the export of a run's folder."""
    export = folder / "export"
    return export if (export / "config.json").is_file() else folder


def _from_hub(name: str, revision: str | None) -> Path:
    """The snapshot of a model on the hub, from the local cache where it is there."""
    if not _HUB_NAME.fullmatch(name) or name.startswith("."):
        raise PretrainingError(f"--model {name}: there is no such folder, and a model on the hub is not called so")
    from huggingface_hub import snapshot_download  # late: it takes a moment, and few ask for it

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # it has dozens, of its own and of the libraries below it
        said = str(error).strip().split("\n")[0] or type(error).__name__
        raise PretrainingError(
            f"--model {name}: there is no such folder, and the hub did not give a model of that name ({said[:200]}); "
            "check the name and the network, or give a folder"
        ) from error


def _weight_names(folder: Path) -> list[str]:
    """The names of all weights, without reading them."""
    from safetensors import SafetensorError, safe_open

    weights, index = folder / _WEIGHTS, folder / _INDEX
    try:
        if weights.is_file():
            with safe_open(weights, "np") as file:
                return list(file.keys())
        if index.is_file():
            return list(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise PretrainingError(f"{folder}: the weights cannot be read ({error}); fetch them again") from error
    if pickles := sorted(path.name for path in folder.glob("*.bin")):
        raise PretrainingError(
            f"{folder} has its weights in {pickles[0]}, a pickle, which could run any program; where you trust it, "
            "convert it with transformers: AutoModelForPreTraining.from_pretrained(FOLDER).save_pretrained(OTHER)"
        )
    raise PretrainingError(f"{folder} has no {_WEIGHTS}; give the folder of a model with its weights")


def _is_of(prefix: str, name: str) -> bool:
    return name.removeprefix("bert.").startswith(prefix)


def _tokenizer(folder: Path) -> Tokenizer:
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise PretrainingError(
            f"{folder} has no tokenizer.json and no vocab.txt; put the model's own there: with another vocabulary its "
            "weights mean nothing"
        )
    try:
        return Tokenizer.load(folder)
    except PreprocessingError as error:
        raise PretrainingError(f"{folder}: {error}") from error
