"""Packing sequences end to end."""

import pytest
import torch

from pretraining.errors import PretrainingError
from pretraining.model.packing import PackedBatch


def test_sequences_lie_end_to_end() -> None:
    batch = PackedBatch.from_sequences([[5, 6, 7], [8], [9, 10]], [2, 1, 1], is_random_next=[0, 1, 0])
    assert batch.input_ids_t.tolist() == [5, 6, 7, 8, 9, 10]
    assert batch.position_ids_t.tolist() == [0, 1, 2, 0, 0, 1]
    assert batch.segment_ids_t.tolist() == [0, 0, 1, 0, 0, 1]
    assert batch.cu_seqlens.tolist() == [0, 3, 4, 6]
    assert batch.cu_seqlens.dtype == torch.int32
    assert (batch.max_length, batch.tokens, batch.sequences) == (3, 6, 3)
    assert batch.is_random_next_s is not None
    assert batch.is_random_next_s.tolist() == [0, 1, 0]


def test_without_segment_b_all_tokens_are_a() -> None:
    assert PackedBatch.from_sequences([[5, 6], [7]]).segment_ids_t.tolist() == [0, 0, 0]


def test_to_moves_every_tensor_and_keeps_what_is_absent() -> None:
    moved = PackedBatch.from_sequences([[5, 6]]).to("meta")
    assert moved.input_ids_t.device.type == moved.cu_seqlens.device.type == "meta"
    assert moved.masked_indices_m is None
    assert moved.max_length == 2


@pytest.mark.parametrize("sequences", [[], [[1], []]])
def test_an_empty_batch_or_sequence_is_refused(sequences: list[list[int]]) -> None:
    with pytest.raises(PretrainingError, match="at least one"):
        PackedBatch.from_sequences(sequences)
