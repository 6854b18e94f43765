"""Packing sequences end to end."""

from dataclasses import replace

import pytest
import torch

from pretraining.errors import PretrainingError
from pretraining.model.packing import IGNORED, PackedBatch, PackedShape


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


@pytest.fixture
def masked_batch() -> PackedBatch:
    batch = PackedBatch.from_sequences([[5, 6, 7], [8], [9, 10]], [2, 1, 1], is_random_next=[0, 1, 0])
    return replace(
        batch,
        masked_indices_m=torch.tensor([1, 5]),
        masked_labels_m=torch.tensor([3, 4]),
        dropout_keys_s=torch.tensor([11, 12, 13]),
    )


def test_filler_stands_behind_what_is_real(masked_batch: PackedBatch) -> None:
    filled = masked_batch.filled(PackedShape(tokens=16, sequences=6, masked=5, max_length=4))
    assert filled.input_ids_t.tolist() == [5, 6, 7, 8, 9, 10] + [0] * 10
    assert filled.cu_seqlens.tolist() == [0, 3, 4, 6, 9, 12, 16]
    assert filled.cu_seqlens.dtype == torch.int32
    assert filled.position_ids_t.tolist() == [0, 1, 2, 0, 0, 1] + [0] * 10
    assert filled.segment_ids_t.tolist() == [0, 0, 1, 0, 0, 1] + [0] * 10
    assert filled.masked_indices_m.tolist() == [1, 5, 15, 15, 15]
    assert filled.masked_labels_m.tolist() == [3, 4, IGNORED, IGNORED, IGNORED]
    assert filled.is_random_next_s.tolist() == [0, 1, 0, IGNORED, IGNORED, IGNORED]
    assert filled.dropout_keys_s.tolist()[:3] == [11, 12, 13]
    assert len(filled.dropout_keys_s) == 6
    assert (filled.tokens, filled.sequences, filled.max_length) == (6, 3, 4)
    assert (filled.filler_tokens, filled.filler_sequences) == (10, 3)


def test_what_is_absent_stays_absent() -> None:
    filled = PackedBatch.from_sequences([[5, 6]]).filled(PackedShape(4, 2, 0, 2))
    assert filled.masked_indices_m is filled.is_random_next_s is filled.dropout_keys_s is None


@pytest.mark.parametrize(
    "shape",
    [
        PackedShape(6, 4, 5, 4),  # no token for the filler sequence
        PackedShape(5, 4, 5, 4),
        PackedShape(8, 6, 5, 4),  # three sequences, two tokens
        PackedShape(20, 6, 5, 4),  # more tokens than three sequences hold
        PackedShape(16, 6, 1, 4),  # two masked tokens
        PackedShape(16, 6, 5, 2),  # a real sequence of three
    ],
)
def test_a_shape_that_does_not_fit_is_refused(shape: PackedShape, masked_batch: PackedBatch) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        masked_batch.filled(shape)
