"""The shape of a BERT, with the field names of Hugging Face's config.json, and the published sizes by name."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pretraining.errors import PretrainingError

# (layers, width, heads). Base and Large: Devlin et al. 2018, section 3; the others: Turc et al. 2019, table 1.
PUBLISHED_SIZES: dict[str, tuple[int, int, int]] = {
    "tiny": (2, 128, 2),
    "mini": (4, 256, 4),
    "small": (4, 512, 8),
    "medium": (8, 512, 8),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
}
PUBLISHED_VOCABULARY = 30522

# Settings of config.json that change what the network computes, with the only value this model implements.
IMPLEMENTED_SETTINGS: dict[str, Any] = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}


# Sizes beyond any published model, so that a digit too many is a sentence and not a failed allocation.
VocabularySize = Annotated[int, Field(ge=1, le=10_000_000)]
Width = Annotated[int, Field(ge=1, le=65_536)]
InnerWidth = Annotated[int, Field(ge=1, le=4 * 65_536)]
Layers = Annotated[int, Field(ge=1, le=1_000)]
Positions = Annotated[int, Field(ge=1, le=65_536)]  # shards write a place in a row in 16 bits
# What is kept is multiplied by 1 / (1 − probability): tenfold at this bound, without limit at 1. Published: up to 0.5.
Dropout = Annotated[float, Field(ge=0.0, le=0.9)]
# 0.02 is BERT's. Far below, all weights are alike to the optimiser's epsilon; with 1, a layer's outputs are noise.
InitializerRange = Annotated[float, Field(ge=1e-6, le=1.0)]


class BertConfig(BaseModel):
    """Architecture of a BERT (Devlin et al. 2018, section 3); the defaults are BERT-Base, uncased."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    vocab_size: VocabularySize = PUBLISHED_VOCABULARY
    hidden_size: Width = 768
    num_hidden_layers: Layers = 12
    num_attention_heads: Width = 12
    intermediate_size: InnerWidth = 3072
    hidden_dropout_prob: Dropout = 0.1
    attention_probs_dropout_prob: Dropout = 0.1
    max_position_embeddings: Positions = 512
    type_vocab_size: int = Field(2, ge=1, le=65_536)
    initializer_range: InitializerRange = 0.02
    layer_norm_eps: float = Field(1e-12, gt=0.0, le=1.0)
    pad_token_id: int = Field(0, ge=0, le=10_000_000)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        return self

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def named(cls, name: str, **changes: Any) -> Self:
        """A published size by name ("tiny" to "large"), with any field changed, as `vocab_size=8000`."""
        if name not in PUBLISHED_SIZES:
            near = difflib.get_close_matches(name, PUBLISHED_SIZES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(PUBLISHED_SIZES)}"
            raise PretrainingError(f"no BERT size is named {name!r}: {hint}")
        layers, width, heads = PUBLISHED_SIZES[name]
        fields = {
            "num_hidden_layers": layers,
            "hidden_size": width,
            "num_attention_heads": heads,
            "intermediate_size": 4 * width,
        }
        return cls(**{**fields, **changes})

    @classmethod
    def from_huggingface(cls, settings: dict[str, Any], where: str = "config.json") -> Self:
        """Reads a Hugging Face BERT configuration; one that this model does not implement is refused by name."""
        for key, implemented in IMPLEMENTED_SETTINGS.items():
            value = settings.get(key)
            if value is not None and value != implemented:
                raise PretrainingError(
                    f"{where}: {key} is {value!r}, and only {implemented!r} is BERT as published: "
                    "choose a checkpoint of the original architecture"
                )
        known = {key: value for key, value in settings.items() if key in cls.model_fields and value is not None}
        missing = {"vocab_size", "hidden_size", "num_hidden_layers"} - known.keys()
        if missing:
            raise PretrainingError(f"{where}: {', '.join(sorted(missing))} missing: this is no BERT configuration")
        try:
            return cls(**known)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "the configuration"
            raise PretrainingError(f"{where}: {field}: {first['msg']}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads `config.json`, or the one in a folder."""
        file = path / "config.json" if path.is_dir() else path
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise PretrainingError(f"{file}: no such file; a model folder holds a config.json") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise PretrainingError(f"{file}: not JSON ({error}); fetch the file again") from error
        if not isinstance(settings, dict):
            raise PretrainingError(f"{file}: not a JSON object; fetch the file again")
        return cls.from_huggingface(settings, where=str(file))

    def to_huggingface(self, architecture: str = "BertForPreTraining") -> dict[str, Any]:
        """The content of the config.json that `transformers.AutoModel` reads."""
        return {"architectures": [architecture], **IMPLEMENTED_SETTINGS, **self.model_dump(), "dtype": "float32"}
