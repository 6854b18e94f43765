"""A micro-batch without padding: all sequences end to end in one row of tokens (no work on padding)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from pretraining.errors import PretrainingError


@dataclass(frozen=True)
class PackedBatch:
    """Shapes: t tokens of s sequences, m of them masked. Integer tensors are int64 unless said otherwise."""

    input_ids_t: Tensor
    segment_ids_t: Tensor
    position_ids_t: Tensor
    cu_seqlens: Tensor  # int32 [s + 1]: sequence i is tokens cu_seqlens[i] up to cu_seqlens[i + 1]
    max_length: int  # tokens of the longest sequence
    masked_indices_m: Tensor | None = None  # index into t
    masked_labels_m: Tensor | None = None  # the original token there
    is_random_next_s: Tensor | None = None  # 0: B follows A; 1: B is from another document
    dropout_keys_s: Tensor | None = None  # what the example's dropout is drawn from; None: from torch's generator

    @property
    def tokens(self) -> int:
        """Number of tokens, all of them real."""
        return self.input_ids_t.shape[0]

    @property
    def sequences(self) -> int:
        """Number of sequences."""
        return self.cu_seqlens.shape[0] - 1

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """The same batch with every tensor on `device`."""
        return self._with_tensors(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pinned(self) -> Self:
        """The same batch in memory that a GPU can copy from while the host goes on."""
        return self._with_tensors(Tensor.pin_memory)

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> Self:
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        changed: dict[str, Any] = {name: change(value) for name, value in values if isinstance(value, Tensor)}
        return replace(self, **changed)

    @classmethod
    def from_sequences(
        cls,
        sequences: Sequence[Sequence[int]],
        segment_b_starts: Sequence[int] | None = None,
        *,
        is_random_next: Sequence[int] | None = None,
    ) -> Self:
        """Packs token ids. `segment_b_starts[i]` is the index of B's first token; without it there is only A."""
        lengths = [len(sequence) for sequence in sequences]
        if not lengths or min(lengths) == 0:
            raise PretrainingError("a batch needs at least one sequence, and a sequence at least one token")
        lengths_s = torch.tensor(lengths)
        starts_s = lengths_s.cumsum(0) - lengths_s
        position_ids_t = torch.arange(sum(lengths)) - torch.repeat_interleave(starts_s, lengths_s)
        b_starts = lengths if segment_b_starts is None else segment_b_starts
        b_starts_t = torch.repeat_interleave(torch.tensor(b_starts), lengths_s)
        cu_seqlens = torch.zeros(len(lengths) + 1, dtype=torch.int32)
        cu_seqlens[1:] = lengths_s.cumsum(0)
        return cls(
            input_ids_t=torch.tensor([token for sequence in sequences for token in sequence]),
            segment_ids_t=(position_ids_t >= b_starts_t).long(),
            position_ids_t=position_ids_t,
            cu_seqlens=cu_seqlens,
            max_length=max(lengths),
            is_random_next_s=None if is_random_next is None else torch.tensor(is_random_next),
        )
