"""Examples as flat arrays: what the recipes make, and what a shard holds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.examples.statistics import ExampleStatistics

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Examples:
    """Ragged examples as flat arrays.

    Row r is `input_ids[token_offsets[r]:token_offsets[r + 1]]` = `[CLS] A [SEP] B [SEP]`, already masked, and its masks
    are `masked_positions` and `masked_labels` between `mask_offsets[r]` and `mask_offsets[r + 1]`. Without a second
    segment `segment_b_start` is the row's length.
    """

    token_offsets: Array
    """int32, rows + 1"""
    input_ids: Array
    """uint16, or uint32 where the vocabulary has more than 65,536 entries"""
    segment_b_start: Array
    """uint16, rows: index in the row of B's first token"""
    mask_offsets: Array
    """int32, rows + 1"""
    masked_positions: Array
    """uint16, index in the row, ascending"""
    masked_labels: Array
    """the original ids, of the type of input_ids"""
    is_random_next: Array
    """bool, rows: true where B does not follow A"""
    document_a: Array
    """uint32, rows: index into the bucket's document table"""
    document_b: Array
    """uint32, rows"""

    @property
    def rows(self) -> int:
        return len(self.segment_b_start)


@dataclass(frozen=True)
class BuiltExamples:
    """Examples and what they are made of (`rows_by_source` is left to whoever knows the sources)."""

    examples: Examples
    statistics: ExampleStatistics


def documents_without_examples(members: Array, examples: Examples) -> int:
    """How many of the documents begin no example: of one sentence, or without any other to pair with."""
    begun = np.bincount(examples.document_a, minlength=int(members.max(initial=-1)) + 1)
    return int(np.count_nonzero(begun[members] == 0))
