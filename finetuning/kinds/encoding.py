"""From rows to token ids, a whole split at a time: flat arrays with offsets, nothing padded.

Shape letters: t pieces, s sequences, i items (what a batch counts: a row, or a window of a paragraph), w words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetuning.errors import FinetuningError
from finetuning.tasks.rows import ChoiceRow, SpanRow, SplitRows, TextRow, TokenRow
from finetuning.tasks.task import Task

if TYPE_CHECKING:
    from preprocessing.tokens.tokenizer import Tokenizer

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
    """The row that an item belongs to."""
    labels: NDArray[np.int64] | NDArray[np.float32]
    """[i] class, choice or number; [i, 2] the answer's first and last piece in the sequence (0, 0: none); [w] tag."""
    group: int = 1
    words: WordMap | None = None
    """Token tasks only."""
    context: ContextMap | None = None
    """Span tasks only."""

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
    """The first pieces of words: the only places where a token task has a label and a prediction."""

    offsets_s: NDArray[np.int64]
    """[s + 1]: the words of sequence j."""
    position_w: NDArray[np.int32]
    """Index of the word's first piece within its sequence."""
    word_w: NDArray[np.int32]
    """Index of the word within its row."""


@dataclass(frozen=True)
class ContextMap:
    """Where the pieces of a window stand in the paragraph."""

    first_s: NDArray[np.int32]
    """Index within the sequence of the window's first context piece."""
    chars_t2: NDArray[np.int32]
    """First and one-past-last character in the paragraph; (0, 0) outside the context."""
    is_best_t: NDArray[np.bool_]
    """Whether this window gives the piece the most context of all windows of its row (Devlin et al., released code)."""


@dataclass(frozen=True)
class Pieces:
    """Token ids of many texts, no special pieces: text j is ids[offsets[j]:offsets[j + 1]]."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of each text."""
        return np.diff(self.offsets)


def encode(task: Task, split: SplitRows, tokenizer: Tokenizer, labels: Sequence[str], max_length: int) -> EncodedSplit:
    """Encode a split.

    Args:
        task: the task.
        split: its rows, all of the task's kind.
        tokenizer: the model's tokenizer.
        labels: class names in the order of the logits (classification and token tasks).
        max_length: most pieces of a sequence, special ones included.
    """
    if task.kind == "token":
        from finetuning.kinds.word_pieces import encode_words

        return encode_words([row for row in split.rows if isinstance(row, TokenRow)], tokenizer, labels, max_length)
    if task.kind == "span":
        from finetuning.kinds.windows import encode_windows

        return encode_windows(task, [row for row in split.rows if isinstance(row, SpanRow)], tokenizer, max_length)
    if task.kind == "choice":
        return _encode_choices(
            [row for row in split.rows if isinstance(row, ChoiceRow)], tokenizer, max_length, task.choices
        )
    return _encode_texts(
        [row for row in split.rows if isinstance(row, TextRow)],
        tokenizer,
        max_length,
        None if task.kind == "regression" else labels,
    )


def pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> Pieces:
    """Token ids of texts; equal texts are encoded once."""
    numbers: dict[str, int] = {}
    index = np.fromiter((numbers.setdefault(text, len(numbers)) for text in texts), np.int64, len(texts))
    ids, offsets = tokenizer.encode(list(numbers))
    if len(numbers) == len(texts):
        return Pieces(ids.astype(np.int32), offsets.astype(np.int64))
    starts, lengths = offsets[index].astype(np.int64), np.diff(offsets)[index].astype(np.int64)
    return Pieces(ids[ragged(starts, lengths)].astype(np.int32), starts_of(lengths))


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n + 1] offsets from [n] lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ragged(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices starts[0] … starts[0] + lengths[0] - 1, starts[1] …, end to end."""
    offsets = starts_of(lengths)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)


def truncate_pairs(
    length_a: NDArray[np.int64], length_b: NDArray[np.int64], budget: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lengths after dropping pieces one by one from the end of the longer text, of B at a tie, until both fit.

    As the released BERT code does (`_truncate_seq_pair` of run_classifier.py), in closed form.
    """
    shorter = np.minimum(length_a, length_b)
    half_a, half_b = (budget + 1) // 2, budget // 2
    long_side = np.maximum(budget - shorter, shorter)
    both_long = shorter > budget - shorter
    keep_a = np.where(both_long, half_a, np.minimum(length_a, long_side))
    keep_b = np.where(both_long, half_b, np.minimum(length_b, long_side))
    fits = length_a + length_b <= budget
    return np.where(fits, length_a, keep_a), np.where(fits, length_b, keep_b)


def assemble(
    tokenizer: Tokenizer,
    ids_a: NDArray[np.int32],
    start_a: NDArray[np.int64],
    keep_a: NDArray[np.int64],
    ids_b: NDArray[np.int32] | None = None,
    start_b: NDArray[np.int64] | None = None,
    keep_b: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Lay out `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]` for every sequence.

    Returns input_ids_t, offsets_s and segment_b_start_s as in `EncodedSplit`.
    """
    lengths = keep_a + 2
    if ids_b is not None and start_b is not None and keep_b is not None:
        lengths = lengths + keep_b + 1
    offsets = starts_of(lengths)
    first = offsets[:-1]
    out = np.full(offsets[-1], tokenizer.sep_id, np.int32)
    out[first] = tokenizer.cls_id
    out[ragged(first + 1, keep_a)] = ids_a[ragged(start_a, keep_a)]
    if ids_b is not None and start_b is not None and keep_b is not None:
        out[ragged(first + keep_a + 2, keep_b)] = ids_b[ragged(start_b, keep_b)]
    return out, offsets, (keep_a + 2).astype(np.int32)


def _encode_texts(
    rows: Sequence[TextRow], tokenizer: Tokenizer, max_length: int, labels: Sequence[str] | None
) -> EncodedSplit:
    first = pieces(tokenizer, [row.text_a for row in rows])
    if rows[0].text_b is None:
        keep = np.minimum(first.lengths, max_length - 2)
        ids, offsets, starts = assemble(tokenizer, first.ids, first.offsets[:-1], keep)
    else:
        second = pieces(tokenizer, [row.text_b or "" for row in rows])
        keep_a, keep_b = truncate_pairs(first.lengths, second.lengths, max_length - 3)
        ids, offsets, starts = assemble(
            tokenizer, first.ids, first.offsets[:-1], keep_a, second.ids, second.offsets[:-1], keep_b
        )
    targets: NDArray[np.int64] | NDArray[np.float32]
    if labels is None:
        targets = np.array([np.nan if row.label is None else row.label for row in rows], np.float32)
    else:
        number = {label: index for index, label in enumerate(labels)}
        targets = np.array([UNLABELLED if row.label is None else number[str(row.label)] for row in rows], np.int64)
    return EncodedSplit(ids, offsets, starts, np.arange(len(rows)), targets)


def _encode_choices(rows: Sequence[ChoiceRow], tokenizer: Tokenizer, max_length: int, choices: int) -> EncodedSplit:
    if wrong := [row for row in rows if len(row.endings) != choices]:
        raise FinetuningError(f"{wrong[0].place}: {len(wrong[0].endings)} endings where the task has {choices}")
    first = pieces(tokenizer, [row.text_a for row in rows for _ in row.endings])
    second = pieces(tokenizer, [f"{row.text_b} {ending}".strip() for row in rows for ending in row.endings])
    keep_a, keep_b = truncate_pairs(first.lengths, second.lengths, max_length - 3)
    ids, offsets, starts = assemble(
        tokenizer, first.ids, first.offsets[:-1], keep_a, second.ids, second.offsets[:-1], keep_b
    )
    targets = np.array([UNLABELLED if row.label is None else row.label for row in rows], np.int64)
    return EncodedSplit(ids, offsets, starts, np.arange(len(rows)), targets, group=choices)
