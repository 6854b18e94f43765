"""Encoding of token tasks: the label of a word stands at its first piece (Devlin et al. 2018, section 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.documents import Parts, document_bounds, document_parts
from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit, WordMap
from finetuning.kinds.encoding.pieces import assemble, pieces
from finetuning.kinds.encoding.ragged import ragged, starts_of
from finetuning.kinds.encoding.truncation import cut_of
from finetuning.kinds.rows import TokenRow
from finetuning.tasks.task import Context

if TYPE_CHECKING:
    from preprocessing.tokens.tokenizer import Tokenizer


def encode_words(
    rows: Sequence[TokenRow],
    tokenizer: Tokenizer,
    labels: Sequence[str],
    sequence_length: int,
    context: Context = "sentence",
) -> EncodedSplit:
    """Encode sentences of words; with the context `document` the sentences of a document run on in one sequence.

    A sentence that is too long is cut between words into several sequences, so that every word has a prediction; a
    document that is too long is read in windows, and a word is answered in the one that shows most around it.
    A word without pieces (control characters only) has no prediction, and a word of too many pieces loses its last
    ones. A tag that training does not know is unlabelled here: no loss; scoring compares names, so it counts as wrong.
    """
    budget = sequence_length - 2
    words = pieces(tokenizer, [word for row in rows for word in row.words])
    first_word = starts_of(np.array([len(row.words) for row in rows], np.int64))
    kept_w = np.minimum(words.lengths, budget)
    bounds = document_bounds(rows) if context == "document" else [(row, row + 1) for row in range(len(rows))]
    parts = (
        document_parts(bounds, first_word, kept_w, budget)
        if context == "document"
        else _sentence_parts(first_word, kept_w, budget)
    )
    # Pieces before each word, in all words that are kept.
    before_w = starts_of(kept_w)
    flat = words.ids[ragged(words.offsets[:-1], kept_w)]
    from_s = before_w[parts.first_s]
    ids, offsets, starts = assemble(tokenizer, flat, from_s, before_w[parts.stop_s] - from_s)

    # The words in the order of the sequences that answer them, which is their own.
    counts_s = parts.answers_to_s - parts.answers_from_s
    sequence_w = np.repeat(np.arange(len(counts_s)), counts_s)
    position_w = before_w[:-1] - from_s[sequence_w] + 1  # behind [CLS]
    row_w = np.repeat(np.arange(len(rows)), np.diff(first_word))
    has_piece = kept_w > 0
    number = {label: index for index, label in enumerate(labels)}
    tags = [number.get(tag, UNLABELLED) for row in rows for tag in (row.tags or ("",) * len(row.words))]
    word_of_row = np.arange(len(kept_w)) - np.repeat(first_word[:-1], np.diff(first_word))
    per_sequence = np.bincount(sequence_w[has_piece], minlength=len(counts_s))
    tokens_r = np.bincount(row_w, words.lengths, len(rows)).astype(np.int64)
    longest = max((int(tokens_r[first:stop].sum()) for first, stop in bounds), default=0)
    cut = cut_of(
        np.bincount(row_w, words.lengths - kept_w, len(rows)).astype(np.int64),
        int(words.lengths.sum()),
        longest + 2,
        sequence_length,
        rows_in_parts=_rows_in_parts(row_w, sequence_w),
        empty_rows=int((tokens_r == 0).sum()),
        words_without_tokens=int((~has_piece).sum()),
        rows_without_document=sum(row.document is None for row in rows) if context == "document" else 0,
        unknown_tokens=int((flat == tokenizer.unk_id).sum()),
    )
    return EncodedSplit(
        ids,
        offsets,
        starts,
        row_w[parts.answers_from_s],
        np.array(tags, np.int64)[has_piece],
        cut,
        words=WordMap(
            starts_of(per_sequence),
            position_w[has_piece].astype(np.int32),
            word_of_row[has_piece].astype(np.int32),
            row_w[has_piece],
        ),
    )


def _sentence_parts(first_word: NDArray[np.int64], kept_w: NDArray[np.int64], budget: int) -> Parts:
    """A sequence for each sentence with words, or several where it is too long."""
    begins = np.zeros(len(kept_w) + 1, bool)
    begins[first_word[:-1][np.diff(first_word) > 0]] = True
    sizes_r = np.add.reduceat(np.append(kept_w, 0), np.minimum(first_word[:-1], len(kept_w)))
    for row in np.flatnonzero(sizes_r > budget):
        filled = 0
        for word in range(first_word[row], first_word[row + 1]):
            if filled + kept_w[word] > budget:
                begins[word] = True
                filled = 0
            filled += kept_w[word]
    first_s = np.flatnonzero(begins[:-1])
    stop_s = np.append(first_s, len(kept_w))[1:]
    return Parts(first_s, stop_s, first_s, stop_s)


def _rows_in_parts(row_w: NDArray[np.int64], sequence_w: NDArray[np.int64]) -> int:
    """Rows whose words are answered in several sequences: both arrays rise, so a change within a row is a border."""
    within = (np.diff(row_w) == 0) & (np.diff(sequence_w) > 0)
    return len(np.unique(row_w[1:][within]))
