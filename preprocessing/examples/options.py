"""How documents become examples."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

UNLIMITED = 1 << 30


class ExampleOptions(BaseModel):
    """How documents become examples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence_lengths: tuple[int, ...] = Field((128, 512), description="lengths in tokens, special tokens included")
    duplicate_factor: int = Field(
        5, ge=1, description="number of passes over the training documents, each with other pairs and masks"
    )
    seed: int = Field(12345, description="seed of every random choice")
    recipe: Literal["default", "reference"] = Field(
        "default", description="how examples are made: correctly, or as the published code did, with its quirks"
    )
    objective: Literal["next-sentence", "sentence-order", "none"] = Field(
        "next-sentence", description="what the second segment is: next or random, in order or swapped, or absent"
    )
    short_sequence_probability: float = Field(
        0.1, ge=0, le=1, description="share of examples with a shorter target length"
    )
    mask_probability: float = Field(0.15, gt=0, lt=1, description="share of the tokens (or words) that are masked")
    max_predictions: tuple[int, ...] = Field(
        (),
        description="masked tokens per example at most, one number or one for each length (default: no limit; for "
        "the reference recipe mask probability times length, rounded up)",
    )
    mask_token_share: float = Field(0.8, ge=0, le=1, description="share of the masked tokens shown as [MASK]")
    random_token_share: float = Field(0.1, ge=0, le=1, description="share of the masked tokens shown as a random token")
    whole_word_masking: bool = Field(False, description="mask whole words, and truncate between words")
    word_segmenter: str = Field(
        "", description="module:function that splits a text into words, for languages that write none apart"
    )
    heldout_fraction: float = Field(
        0.01, ge=0, lt=1, description="share of the documents that are held out for evaluation"
    )

    @model_validator(mode="after")
    def _check(self) -> "ExampleOptions":
        lengths = self.sequence_lengths
        if not lengths or list(lengths) != sorted(set(lengths)) or not all(8 <= length <= 32768 for length in lengths):
            raise ValueError(f"--sequence-lengths {_joined(lengths)}: give ascending lengths between 8 and 32768")
        if len(self.max_predictions) not in (0, 1, len(lengths)) or not all(most >= 1 for most in self.max_predictions):
            raise ValueError(
                f"--max-predictions {_joined(self.max_predictions)}: give one positive number, or one for each length"
            )
        if self.mask_token_share + self.random_token_share > 1 + 1e-9:
            raise ValueError("--mask-token-share and --random-token-share are more than 1 together: lower one of them")
        if self.recipe == "reference" and self.objective != "next-sentence":
            raise ValueError(f"--objective {self.objective} is not part of --recipe reference: use --recipe default")
        return self

    def most_predictions(self, length: int) -> int:
        """Masked tokens per example at most."""
        if self.max_predictions:
            given = self.max_predictions
            return given[0] if len(given) == 1 else given[self.sequence_lengths.index(length)]
        return math.ceil(length * self.mask_probability) if self.recipe == "reference" else UNLIMITED


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
