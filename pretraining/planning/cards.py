"""GPUs by name: what their datasheets say that they can do at most. The table is `cards.toml`, with its sources."""

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pretraining.configuration.recipe import nearest
from pretraining.devices.abilities import AMPERE
from pretraining.errors import PretrainingError

_TABLE = Path(__file__).with_name("cards.toml")
_BRANDS = {"nvidia", "tesla", "geforce", "graphics"}


@dataclass(frozen=True)
class Card:
    """One card's datasheet; figures are dense."""

    name: str
    source: str
    tflops: Mapping[str, float]  # by format: bf16, fp16, fp8, tf32 on tensor cores, fp32 without; only what it has
    memory_bytes: int
    bandwidth: float  # bytes a second of its own memory, read and written together
    nvlink: float  # bytes a second to other cards, both directions together; 0: none
    joined: int  # cards that NVLink joins
    pcie: float  # bytes a second to the host, both directions together
    capability: float  # CUDA's compute capability

    @property
    def has_flash_attention(self) -> bool:
        """Whether flash attention is there for 16-bit numbers; elsewhere attention works on a padded copy."""
        return self.compute_capability >= AMPERE

    @property
    def compute_capability(self) -> tuple[int, int]:
        """`capability` as torch says it."""
        major, minor = divmod(round(10 * self.capability), 10)
        return major, minor

    def peak_tflops(self, precision: str) -> float:
        """Dense TFLOP/s in a recipe's precision; PretrainingError where the card has none of it."""
        if precision in self.tflops:
            return self.tflops[precision]
        if precision == "bf16":
            raise PretrainingError(f"{self.name} has no bfloat16: use --training.precision fp16")
        raise PretrainingError(
            f"no {precision} figure for {self.name} in its datasheet; plan with --training.precision fp16"
        )


def card_named(name: str) -> Card:
    """The card of `--gpu NAME`: a key or short name of the table, or what torch calls the device.

    PretrainingError, with the nearest known names, for any other.
    """
    found = _known().get(name.lower()) or card_of_device(name)
    if found is None:
        hint = nearest(name.lower(), sorted(_known()))
        raise PretrainingError(
            f"no datasheet figures for {name!r} in pretraining/planning/cards.toml ({hint}); a run on such a card "
            "takes its peak from output.peak_tflops"
        )
    return found


def card_of_device(device_name: str) -> Card | None:
    """The card that torch.cuda.get_device_name means; None where the table has not that very one.

    Another form of a card it has (a laptop's, a slice of MIG, other memory) has other figures, and so is not known.
    """
    return _devices().get(_words(device_name))


def card_names() -> list[str]:
    """The keys of the table, in its order."""
    return list(_cards())


@functools.cache
def _cards() -> dict[str, tuple[Card, list[str], list[str]]]:
    """Each card, the names of its device, and its short names."""
    found = {}
    for name, row in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items():
        card = Card(
            name=name,
            source=row["source"],
            tflops=MappingProxyType({kind: float(value) for kind, value in row["figures"].items()}),
            memory_bytes=int(row["memory"] * 10**9),
            bandwidth=row["bandwidth"] * 1e9,
            nvlink=row.get("nvlink", 0.0) * 1e9,
            joined=row.get("joined", 1),
            pcie=row["pcie"] * 1e9,
            capability=row["capability"],
        )
        found[name] = (card, row["names"], row.get("short", []))
    return found


@functools.cache
def _known() -> dict[str, Card]:
    return {key: card for name, (card, _, short) in _cards().items() for key in (name, *short)}


@functools.cache
def _devices() -> dict[frozenset[str], Card]:
    return {_words(name): card for card, names, _ in _cards().values() for name in names}


def _words(device_name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", device_name.lower())) - _BRANDS
