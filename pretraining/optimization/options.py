"""A table of a recipe, and what it may say about the optimiser. Imports nothing heavy: the help of the command shows
it.
"""

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Section(BaseModel):
    """A frozen table of a recipe that refuses keys it does not know, numbers that are none (`inf`, `nan`), and `true`
    where a number belongs, which pydantic would take for 1; the string below a key is its help.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _switches_are_no_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        parts = value if isinstance(value, list | tuple) else (value,)
        annotation = None if info.field_name is None else cls.model_fields[info.field_name].annotation
        is_switch = annotation is bool or "true" in get_args(annotation)
        if not is_switch and any(isinstance(part, bool) for part in parts):
            raise ValueError("true and false are for switches, and this is none")
        return value


class OptimizerConfig(Section):
    """The `[optimizer]` table of a recipe; the defaults are those of BERT (Devlin et al. 2018, appendix A.2)."""

    name: Literal["adamw", "lamb"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019) or LAMB (You et al. 2020)."""
    # Adam moves each weight by about the rate, LAMB each matrix by about its share: 1 replaces them, and below 1e-12
    # float32 keeps nothing of the step.
    learning_rate: float = Field(1e-4, ge=1e-12, le=1.0)
    """The schedule's peak."""
    beta1: float = Field(0.9, ge=0.0, lt=1.0)
    """Decay of the mean of gradients."""
    beta2: float = Field(0.999, ge=0.0, lt=1.0)
    """Decay of the mean of squared gradients."""
    # Not so small that it is 0 in float32, where a gradient of 0 would be divided by 0.
    epsilon: float = Field(1e-6, ge=1e-30, le=1.0)
    """Added to the divisor."""
    # At a rate and a decay of 1 a step leaves nothing of the weights; above, it turns their signs.
    weight_decay: float = Field(0.01, ge=0.0, le=1.0)
    """Of matrices and embeddings; never of biases and LayerNorm."""
    bias_correction: bool = True
    """no: as the published code of BERT, the moments are not corrected for their start at zero."""
