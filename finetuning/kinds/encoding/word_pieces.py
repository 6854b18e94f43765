"""Encoding of token tasks: the label of a word stands at its first piece (Devlin et al. 2018, section 5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit, WordMap
from finetuning.kinds.encoding.pieces import assemble, pieces
from finetuning.kinds.encoding.ragged import ragged, starts_of
from finetuning.kinds.encoding.truncation import cut_of
from finetuning.kinds.rows import TokenRow

if TYPE_CHECKING:
    from preprocessing.tokens.tokenizer import Tokenizer


def encode_words(
    rows: Sequence[TokenRow], tokenizer: Tokenizer, labels: Sequence[str], sequence_length: int
) -> EncodedSplit:
    """Encode sentences of words.

    A sentence that is too long is cut between words into several sequences, so that every word has a prediction;
    a word without pieces (control characters only) has none, and a word of too many pieces loses its last ones.
    A tag that training does not know is unlabelled here: no loss; scoring compares names, so it counts as wrong.
    """
    budget = sequence_length - 2
    words = pieces(tokenizer, [word for row in rows for word in row.words])
    first_word = starts_of(np.array([len(row.words) for row in rows], np.int64))
    kept_w = np.minimum(words.lengths, budget)
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
    words_s = np.diff(np.append(first_s, len(kept_w)))
    pieces_s = np.add.reduceat(kept_w, first_s) if len(first_s) else np.zeros(0, np.int64)
    flat = words.ids[ragged(words.offsets[:-1], kept_w)]
    ids, offsets, starts = assemble(tokenizer, flat, starts_of(pieces_s)[:-1], pieces_s)
    row_s = np.searchsorted(first_word, first_s, side="right") - 1

    # A word's first piece within its sequence: pieces before it there, and [CLS].
    before_w = starts_of(kept_w)[:-1]
    sequence_w = np.repeat(np.arange(len(first_s)), words_s)
    position_w = before_w - before_w[first_s][sequence_w] + 1
    has_piece = kept_w > 0
    number = {label: index for index, label in enumerate(labels)}
    tags = [number.get(tag, UNLABELLED) for row in rows for tag in (row.tags or ("",) * len(row.words))]
    word_of_row = np.arange(len(kept_w)) - np.repeat(first_word[:-1], np.diff(first_word))
    per_sequence = np.bincount(sequence_w[has_piece], minlength=len(first_s))
    # A row whose words have no tokens at all is in no sequence.
    sequences_r = np.bincount(row_s, minlength=len(rows))
    row_w = np.repeat(np.arange(len(rows)), np.diff(first_word))
    tokens_r = np.bincount(row_w, words.lengths, len(rows)).astype(np.int64)
    cut = cut_of(
        np.bincount(row_w, words.lengths - kept_w, len(rows)).astype(np.int64),
        int(words.lengths.sum()),
        int(tokens_r.max(initial=0)) + 2,
        sequence_length,
        rows_in_parts=int((sequences_r > 1).sum()),
        empty_rows=int((tokens_r == 0).sum()),
        words_without_tokens=int((~has_piece).sum()),
        unknown_tokens=int((ids == tokenizer.unk_id).sum()),
    )
    return EncodedSplit(
        ids,
        offsets,
        starts,
        row_s,
        np.array(tags, np.int64)[has_piece],
        cut,
        words=WordMap(
            starts_of(per_sequence),
            position_w[has_piece].astype(np.int32),
            word_of_row[has_piece].astype(np.int32),
        ),
    )
