"""The runs that are compared."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Setting:
    """One run: what it has of its own in words, and everything that may differ.

    `scale`: of word embeddings and positions by `neighbour_start`; None: the published start. `bias`: the decoder's
    begins at the logarithm of the pieces' frequencies.
    """

    name: str
    scale: float | None = None
    beside: bool = False
    bias: bool = False
    rate: float = 1e-3
    batch: int = 32
    layers: int = 2
    width: int = 128
    heads: int = 4
    deviation: float = 0.02
    dropout: float = 0.0
    next_sentence: bool = True
    masking: Literal["dynamic", "static"] = "dynamic"
    framework: Literal["ours", "transformers"] = "ours"


SETTINGS = (
    Setting("published"),
    Setting("published, by transformers", framework="transformers"),
    Setting("published, rate 3e-4", rate=3e-4),
    Setting("published, rate 3e-3", rate=3e-3),
    Setting("published, batch of 8", batch=8),
    Setting("published, dropout 0.1", dropout=0.1),
    Setting("published, static masks", masking="static"),
    Setting("published, 4 layers", layers=4),
    Setting("published, 256 wide", width=256),
    Setting("published, without NSP", next_sentence=False),
    Setting("published, deviation 0.08", deviation=0.08),
    Setting("bias", bias=True),
    Setting("bias, rate 3e-3", bias=True, rate=3e-3),
    Setting("scale 0.2", scale=0.2),
    Setting("heads beside, scale 0.02", scale=0.02, beside=True),
    Setting("heads beside, scale 0.05", scale=0.05, beside=True),
    Setting("heads beside, scale 0.1", scale=0.1, beside=True),
    Setting("neighbours (scale 0.2)", scale=0.2, beside=True),
    Setting("heads beside, scale 0.4", scale=0.4, beside=True),
    Setting("neighbours, bias", scale=0.2, beside=True, bias=True),
    Setting("neighbours, rate 2e-3", scale=0.2, beside=True, rate=2e-3),
    Setting("neighbours, rate 4e-3", scale=0.2, beside=True, rate=4e-3),
    Setting("neighbours, rate 2e-3, batch of 16", scale=0.2, beside=True, rate=2e-3, batch=16),
    Setting("neighbours, rate 2e-3, 2 heads", scale=0.2, beside=True, rate=2e-3, heads=2),
    Setting("neighbours, rate 2e-3, dropout 0.1", scale=0.2, beside=True, rate=2e-3, dropout=0.1),
    Setting("neighbours, rate 2e-3, 4 layers", scale=0.2, beside=True, rate=2e-3, layers=4),
    Setting("neighbours, 256 wide", scale=0.2, beside=True, width=256),
    Setting("neighbours, deviation 0.08", scale=0.2, beside=True, deviation=0.08),
)
