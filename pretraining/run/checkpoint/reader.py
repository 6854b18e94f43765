"""Reads ranges of parameters out of a checkpoint, whichever number of ranks and ZeRO stage wrote it."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from pretraining.errors import PretrainingError
from pretraining.run.checkpoint.files import INDEX, TRAINER, check_version, state_name
from pretraining.run.checkpoint.slices import WEIGHT


class CheckpointReader:
    """The mapped files of one checkpoint; they are opened when a range of theirs is asked for.

    PretrainingError for a checkpoint of another version of this program.
    """

    def __init__(self, checkpoint: Path) -> None:
        check_version(checkpoint)
        self.checkpoint = checkpoint
        self.trainer: dict[str, Any] = json.loads((checkpoint / TRAINER).read_text(encoding="utf-8"))
        self.index: dict[str, Any] = json.loads((checkpoint / INDEX).read_text(encoding="utf-8"))
        self._open: dict[int, Any] = {}

    def read(self, kind: str, name: str, first: int, last: int, into: Tensor) -> None:
        """Fills `into` [last - first] with those elements of a parameter's weight or moment."""
        if name not in self.index:
            raise PretrainingError(f"{self.checkpoint} has no parameter {name}: it is a checkpoint of another model")
        filled = 0
        for number, low, high in self.index[name]["parts"]:
            start, stop = max(first, low), min(last, high)
            if start < stop:
                stored = self._file(number).get_slice(f"{kind}/{low}/{name}")[start - low : stop - low]
                into[start - first : stop - first].copy_(stored)
                filled += stop - start
        if filled != last - first:
            raise PretrainingError(
                f"{self.checkpoint} holds {filled} of elements {first} to {last} of {name}: it is a checkpoint of "
                "another model, or not complete"
            )

    def weights(self) -> dict[str, Tensor]:
        """All weights by our names, float32, on the CPU."""
        whole = {}
        for name, entry in self.index.items():
            flat = torch.empty(int(torch.Size(entry["shape"]).numel()), dtype=torch.float32)
            self.read(WEIGHT, name, 0, flat.numel(), flat)
            whole[name] = flat.view(entry["shape"])
        return whole

    def _file(self, number: int) -> Any:
        if number not in self._open:
            self._open[number] = safe_open(self.checkpoint / state_name(number), framework="pt", device="cpu")
        return self._open[number]
