"""A split as flat arrays."""

import numpy as np
import pytest
import torch.nn.functional as F

from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.encoding.truncation import cut_of
from pretraining.model.packing import IGNORED


def test_what_has_no_label_is_what_torchs_losses_ignore() -> None:
    assert UNLABELLED == IGNORED == -100
    assert F.cross_entropy.__defaults__ is not None
    assert UNLABELLED in F.cross_entropy.__defaults__


@pytest.mark.parametrize(("group", "lengths"), [(1, [3, 5, 4, 2, 2, 7]), (2, [8, 6, 9]), (3, [12, 11])])
def test_items_are_neighbouring_sequences(group: int, lengths: list[int]) -> None:
    split = EncodedSplit(
        np.zeros(23, np.int32),
        np.array([0, 3, 8, 12, 14, 16, 23]),
        np.full(6, 2, np.int32),
        np.arange(len(lengths)),
        np.zeros(len(lengths), np.int64),
        cut_of(np.zeros(len(lengths), np.int64), 23, 7, 8),
        group,
    )
    assert (split.items, split.lengths_i.tolist()) == (len(lengths), lengths)


def test_a_split_is_of_single_sequences_without_words_and_windows_unless_said() -> None:
    none = np.zeros(0, np.int64)
    split = EncodedSplit(
        none.astype(np.int32), np.zeros(1, np.int64), none.astype(np.int32), none, none, cut_of(none, 0, 0, 8)
    )
    assert (split.group, split.words, split.context) == (1, None, None)
