"""Windows over the words of a document, so that a word is read with what stands around it in other sentences.

Devlin et al. 2018, section 5.3, "include the maximal document context provided by the data"; the paper does not say
how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.ragged import starts_of
from finetuning.kinds.rows import TokenRow


@dataclass(frozen=True)
class Parts:
    """What each sequence reads of the words of a split, numbered through, and which of them it answers: [s] int64 each.

    Every word is answered by one sequence, in the order of the words.
    """

    first_s: NDArray[np.int64]
    stop_s: NDArray[np.int64]
    """It reads the words first_s up to stop_s - 1."""
    answers_from_s: NDArray[np.int64]
    answers_to_s: NDArray[np.int64]
    """It answers the words answers_from_s up to answers_to_s - 1."""


def document_bounds(rows: Sequence[TokenRow]) -> list[tuple[int, int]]:
    """(first row, one past the last) of each document: neighbouring rows of one name; a row without one is alone."""
    starts = [
        number
        for number, row in enumerate(rows)
        if number == 0 or row.document is None or row.document != rows[number - 1].document
    ]
    return list(zip(starts, [*starts[1:], len(rows)], strict=True)) if rows else []


def document_parts(
    bounds: Sequence[tuple[int, int]], first_word: NDArray[np.int64], sizes_w: NDArray[np.int64], room: int
) -> Parts:
    """The windows of all documents.

    Args:
        bounds: the rows of each document.
        first_word: [rows + 1] the first word of each row.
        sizes_w: [w] pieces of each word, at most `room`.
        room: most pieces of a window.
    """
    parts: list[tuple[int, int, int, int]] = []
    for first_row, stop_row in bounds:
        first, stop = int(first_word[first_row]), int(first_word[stop_row])
        windows = word_windows(sizes_w[first:stop], room)
        answered = first
        for (begin, end), count in zip(windows, answered_words(windows, sizes_w[first:stop]), strict=True):
            if count:
                parts.append((first + begin, first + end, answered, answered + count))
            answered += count
    table = np.array(parts, np.int64).reshape(-1, 4)
    return Parts(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def word_windows(sizes_w: NDArray[np.int64], room: int) -> list[tuple[int, int]]:
    """(first word, one past the last) of each window over words of these sizes: all of them where they fit.

    Otherwise a window begins half of `room` after the one before, at a word, and holds as many words as fit; the last
    one ends with the last word and is as full. So a word away from both ends has about a quarter of `room` on either
    side.
    """
    before = starts_of(sizes_w)
    words, total = len(sizes_w), int(before[-1])
    windows = []
    start = 0
    while total - before[start] > room:
        stop = int(np.searchsorted(before, before[start] + room, "right")) - 1
        windows.append((start, stop))
        # No word is passed over, however long the next ones are.
        start = min(int(np.searchsorted(before, before[start] + max(room // 2, 1), "left")), stop)
    return [*windows, (int(np.searchsorted(before, total - room, "left")), words)] if words else []


def answered_words(windows: Sequence[tuple[int, int]], sizes_w: NDArray[np.int64]) -> list[int]:
    """How many words each window answers: a word is answered where the smaller of its two contexts is largest.

    Contexts are counted in pieces; of equal windows the first. As later windows have less before a word and more behind
    it, the words of a window are neighbours, in the order of the windows.
    """
    before = starts_of(sizes_w)
    best_w = np.full(len(sizes_w), -1, np.int64)
    owner_w = np.zeros(len(sizes_w), np.int64)
    for number, (begin, end) in enumerate(windows):
        context_w = np.minimum(before[begin:end] - before[begin], before[end] - before[begin + 1 : end + 1])
        better = context_w > best_w[begin:end]
        best_w[begin:end][better] = context_w[better]
        owner_w[begin:end][better] = number
    return np.bincount(owner_w, minlength=len(windows)).tolist()
