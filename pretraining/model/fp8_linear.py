"""The encoder's linear layers with products in FP8, by torchao.

Each of a layer's three products has its operands scaled by their largest number, anew at every step, and rounded:
input and weight to E4M3, the output's gradient to E5M2 (Micikevicius et al. 2022, section 3). Weights, their gradients
and the optimiser keep their precision, and parameters keep their names. Embeddings, pooler, heads and decoder stay as
they are.
"""

import importlib.util

import torch

from pretraining.devices.abilities import abilities_of
from pretraining.devices.precision import FP8_ASKED, require_fp8_products
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertModel

_MULTIPLE = 16  # of both sides of a weight: what the tensor cores' FP8 product takes


def require_fp8(device: torch.device) -> None:
    """PretrainingError where `device` or the installation has no FP8 products."""
    require_fp8_products(abilities_of(device))
    if importlib.util.find_spec("torchao") is None:
        raise PretrainingError(f"{FP8_ASKED} needs torchao: python -m pip install torchao, or leave it out")


def use_fp8(encoder: BertModel, *, emulate: bool = False) -> None:
    """Replaces the linear layers of the encoder's layers, in place; before it is compiled or given to an engine.

    `emulate` rounds as FP8 does and multiplies in float32, on any device: what tests do. PretrainingError where a
    width is no multiple of 16.
    """
    config = encoder.config
    for name in ("hidden_size", "intermediate_size"):
        if getattr(config, name) % _MULTIPLE:
            raise PretrainingError(
                f"model.{name} is {getattr(config, name)}: FP8 products need a multiple of {_MULTIPLE}; change it, or "
                "leave training.linear_layers out"
            )
    from torchao.float8 import Float8LinearConfig, convert_to_float8_training

    # The gradient of a weight is a sum over tokens, of which there may be any number: filled up with zeros.
    settings = Float8LinearConfig(emulate=emulate, pad_inner_dim=True)
    convert_to_float8_training(encoder.layers, config=settings)
