"""A micro-batch without padding: all sequences end to end in one row of tokens (no work on padding).

It may be filled up to a fixed shape by sequences of its own kind that count for nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from pretraining.devices.transfer import sent
from pretraining.errors import PretrainingError

IGNORED = -100  # label of filler: what cross-entropy leaves out by default


@dataclass(frozen=True)
class PackedShape:
    """What a batch is filled up to: sizes of its tensors, filler included, and the longest sequence that may come."""

    tokens: int
    sequences: int
    masked: int
    max_length: int


@dataclass(frozen=True)
class PackedBatch:
    """Shapes: t tokens of s sequences, m of them masked, filler included. Integer tensors are int64 unless said
    otherwise. Filler stands last everywhere.
    """

    input_ids_t: Tensor
    segment_ids_t: Tensor
    position_ids_t: Tensor
    cu_seqlens: Tensor  # int32 [s + 1]: sequence i is tokens cu_seqlens[i] up to cu_seqlens[i + 1]
    max_length: int  # tokens of the longest sequence
    masked_indices_m: Tensor | None = None  # index into t
    masked_labels_m: Tensor | None = None  # the original token there
    is_random_next_s: Tensor | None = None  # 0: B follows A; 1: B is from another document
    dropout_keys_s: Tensor | None = None  # what the example's dropout is drawn from; None: from torch's generator
    filler_tokens: int = 0
    filler_sequences: int = 0

    @property
    def tokens(self) -> int:
        """Number of real tokens."""
        return self.input_ids_t.shape[0] - self.filler_tokens

    @property
    def sequences(self) -> int:
        """Number of real sequences."""
        return self.cu_seqlens.shape[0] - 1 - self.filler_sequences

    def filled(self, shape: PackedShape) -> Self:
        """The same batch with filler up to ``shape``, for tensors of one shape whatever the examples.

        Filler tokens are zeros in sequences of their own, which nothing real attends to; filler labels are ``IGNORED``,
        those of masked tokens at the last token. So sums, counts and gradients are those of the real part. Each
        filler sequence has between 1 and ``max_length`` tokens; ValueError for a shape that does not allow that.
        """
        real, sequences = self.input_ids_t.shape[0], self.cu_seqlens.shape[0] - 1
        tokens, added = shape.tokens - real, shape.sequences - sequences
        if not (max(added, 1) <= tokens <= added * shape.max_length and self.max_length <= shape.max_length):
            raise ValueError(f"{real} tokens of {sequences} sequences, {self.max_length} at most, do not fit {shape}")
        ends = real + torch.arange(1, added + 1) * tokens // added

        def extended(tensor: Tensor, size: int, value: int) -> Tensor:
            if size < tensor.shape[0]:
                raise ValueError(f"{tensor.shape[0]} masked tokens do not fit {shape}")
            return torch.cat([tensor, tensor.new_full((size - tensor.shape[0],), value)])

        def maybe(tensor: Tensor | None, size: int, value: int) -> Tensor | None:
            return None if tensor is None else extended(tensor, size, value)

        return replace(
            self,
            input_ids_t=extended(self.input_ids_t, shape.tokens, 0),
            segment_ids_t=extended(self.segment_ids_t, shape.tokens, 0),
            position_ids_t=extended(self.position_ids_t, shape.tokens, 0),
            cu_seqlens=torch.cat([self.cu_seqlens, ends.to(self.cu_seqlens.dtype)]),
            max_length=shape.max_length,
            masked_indices_m=maybe(self.masked_indices_m, shape.masked, shape.tokens - 1),
            masked_labels_m=maybe(self.masked_labels_m, shape.masked, IGNORED),
            is_random_next_s=maybe(self.is_random_next_s, shape.sequences, IGNORED),
            dropout_keys_s=maybe(self.dropout_keys_s, shape.sequences, 0),
            filler_tokens=self.filler_tokens + tokens,
            filler_sequences=self.filler_sequences + added,
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Self:
        """The same batch with every tensor on `device`."""
        return self._with_tensors(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def sent_to(self, device: torch.device) -> Self:
        """The same batch on `device`; the host does not wait for a GPU to have it."""
        return self._with_tensors(lambda tensor: sent(tensor, device))

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
