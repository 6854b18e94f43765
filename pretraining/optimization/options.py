"""What a recipe may say about the optimiser. Imports nothing heavy: the help of the command shows it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class OptimizerConfig(BaseModel):
    """The `[optimizer]` table of a recipe; the defaults are those of BERT (Devlin et al. 2018, appendix A.2)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Literal["adamw", "lamb"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019) or LAMB (You et al. 2020)."""
    learning_rate: float = Field(1e-4, gt=0.0)
    """The schedule's peak."""
    beta1: float = Field(0.9, ge=0.0, lt=1.0)
    """Decay of the mean of gradients."""
    beta2: float = Field(0.999, ge=0.0, lt=1.0)
    """Decay of the mean of squared gradients."""
    epsilon: float = Field(1e-6, gt=0.0)
    """Added to the divisor."""
    weight_decay: float = Field(0.01, ge=0.0)
    """Of matrices and embeddings; never of biases and LayerNorm."""
    bias_correction: bool = True
    """no: as the published code of BERT, the moments are not corrected for their start at zero."""
