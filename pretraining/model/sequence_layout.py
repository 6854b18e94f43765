"""Where the sequences of a packed batch lie: what attention has to know of them."""

from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor


@dataclass(frozen=True)
class Run:
    """Neighbouring sequences of one length."""

    start: int  # first token
    sequences: int
    length: int

    @property
    def tokens(self) -> slice:
        """Where the run lies in the packed batch."""
        return slice(self.start, self.start + self.sequences * self.length)


@dataclass(frozen=True)
class SequenceLayout:
    """Where the sequences of a packed batch lie; worked out once a step and shared by all layers."""

    cu_seqlens: Tensor  # int32 [s + 1], on the device of the tokens
    max_length: int
    runs: tuple[Run, ...]  # empty on CUDA, where reading lengths would wait for the device

    @classmethod
    def of(cls, cu_seqlens: Tensor, max_length: int) -> "SequenceLayout":
        """Reads the lengths on the CPU only."""
        return cls(cu_seqlens, max_length, () if cu_seqlens.is_cuda else _runs(cu_seqlens))


@torch.compiler.disable  # lengths are data: traced, every new mix of them would compile anew
def _runs(cu_seqlens: Tensor) -> tuple[Run, ...]:
    runs: list[Run] = []
    start = 0
    for length, same in groupby(cu_seqlens.diff().tolist()):
        runs.append(Run(start, len(list(same)), length))
        start = runs[-1].tokens.stop
    return tuple(runs)
