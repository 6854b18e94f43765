"""A split as token ids: flat arrays with offsets, nothing padded.

Shape letters: t pieces, s sequences, i items (what a batch counts: a row, or a window of a paragraph), w words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.truncation import Cut

UNLABELLED = -100
"""Label of what has none; no loss is taken there."""


@dataclass(frozen=True)
class EncodedSplit:
    """A split as token ids. An item is `group` neighbouring sequences (the candidates of a choice; else one)."""

    input_ids_t: NDArray[np.int32]
    offsets_s: NDArray[np.int64]
    """[s + 1]: sequence j is pieces offsets_s[j] up to offsets_s[j + 1]."""
    segment_b_start_s: NDArray[np.int32]
    """Index within the sequence of text B's first piece; its length where there is only text A."""
    row_i: NDArray[np.int64]
    """The row that an item belongs to; with document context that of the first word that it answers."""
    labels: NDArray[np.int64] | NDArray[np.float32]
    """[i, …] what is right for each item, as the kind's loss takes it; [w] for each word where there are `words`."""
    cut: Cut
    """What did not fit."""
    group: int = 1
    words: WordMap | None = None
    """Where labels and predictions belong to words."""
    context: ContextMap | None = None
    """Where a window of a paragraph is read."""

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.row_i)

    @property
    def lengths_i(self) -> NDArray[np.int64]:
        """Pieces of each item."""
        return np.diff(self.offsets_s).reshape(-1, self.group).sum(1)


@dataclass(frozen=True)
class WordMap:
    """The first pieces of words: the only places where a word has a label and a prediction."""

    offsets_s: NDArray[np.int64]
    """[s + 1]: the words of sequence j."""
    position_w: NDArray[np.int32]
    """Index of the word's first piece within its sequence."""
    word_w: NDArray[np.int32]
    """Index of the word within its row."""
    row_w: NDArray[np.int64]
    """The row of the word: a window over a document answers words of several."""


@dataclass(frozen=True)
class ContextMap:
    """Where the pieces of a window stand in the paragraph."""

    first_s: NDArray[np.int32]
    """Index within the sequence of the window's first context piece."""
    chars_t2: NDArray[np.int32]
    """First and one-past-last character in the paragraph; (0, 0) outside the context."""
    is_best_t: NDArray[np.bool_]
    """Whether this window gives the piece the most context of all windows of its row (Devlin et al., released code)."""
