"""Encoding of span tasks: a long paragraph is read through a sliding window (Devlin et al., released code)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetuning.errors import FinetuningError
from finetuning.kinds.encoding.layout import ContextMap, EncodedSplit
from finetuning.kinds.encoding.pieces import assemble, pieces
from finetuning.kinds.encoding.ragged import ragged, starts_of
from finetuning.kinds.encoding.truncation import cut_of
from finetuning.kinds.rows import SpanRow
from finetuning.tasks.task import Task

if TYPE_CHECKING:
    from preprocessing.tokens.tokenizer import Tokenizer


def encode_windows(task: Task, rows: Sequence[SpanRow], tokenizer: Tokenizer, sequence_length: int) -> EncodedSplit:
    """Encode questions with every window of their paragraph: `[CLS] question [SEP] window [SEP]`.

    The label is the first answer's first and last piece, or (0, 0), the place of [CLS], in a window that does not
    hold the whole answer.
    """
    if sequence_length - 3 <= task.max_query_length:
        raise FinetuningError(
            f"max_length {sequence_length} leaves no room for the paragraph beside a question of "
            f"{task.max_query_length} pieces; raise --max-length or lower max_query_length in the task"
        )
    numbers: dict[str, int] = {}
    context_r = np.fromiter((numbers.setdefault(row.context, len(numbers)) for row in rows), np.int64, len(rows))
    ids_c, chars_c, offsets_c = _encode_with_characters(tokenizer, list(numbers))
    questions = pieces(tokenizer, [row.question for row in rows])
    keep_r = np.minimum(questions.lengths, task.max_query_length)

    row_s, start_s, keep_s, labels = [], [], [], []
    reached = np.array([not row.answers for row in rows], bool)
    best: list[NDArray[np.bool_]] = []
    too_long = closer = 0
    for number, row in enumerate(rows):
        low, high = offsets_c[context_r[number]], offsets_c[context_r[number] + 1]
        room = int(sequence_length - 3 - keep_r[number])
        stride = overlapping_stride(room, task.document_stride, task.max_answer_length)
        windows = window_starts(int(high - low), room, stride)
        closer += len(windows) > 1 and stride < task.document_stride
        answer = _answer_pieces(row, chars_c[low:high])
        too_long += answer is not None and answer[1] - answer[0] >= task.max_answer_length
        best.extend(best_context(windows))
        for start, length in windows:
            row_s.append(number)
            start_s.append(low + start)
            keep_s.append(length)
            inside = answer is not None and start <= answer[0] and answer[1] < start + length
            shift = int(keep_r[number]) + 2 - start
            reached[number] |= inside
            labels.append((answer[0] + shift, answer[1] + shift) if inside and answer else (0, 0))

    rows_of_s = np.array(row_s, np.int64)
    first_c, keep = np.array(start_s, np.int64), np.array(keep_s, np.int64)
    ids, offsets, first = assemble(
        tokenizer, questions.ids, questions.offsets[:-1][rows_of_s], keep_r[rows_of_s], ids_c, first_c, keep
    )
    places = ragged(offsets[:-1] + first, keep)
    chars = np.zeros((len(ids), 2), np.int32)
    chars[places] = chars_c[ragged(first_c, keep)]
    is_best = np.zeros(len(ids), bool)
    is_best[places] = np.concatenate(best)
    lengths_r = questions.lengths + np.diff(offsets_c)[context_r]
    cut = cut_of(
        questions.lengths - keep_r,
        int(lengths_r.sum()),
        int(questions.lengths.max(initial=0)),
        task.max_query_length,
        "max_query_length",
        rows_in_parts=int((np.bincount(rows_of_s, minlength=len(rows)) > 1).sum()),
        empty_rows=int(((questions.lengths == 0) | (np.diff(offsets_c)[context_r] == 0)).sum()),
        unreached_answers=int((~reached).sum()),
        too_long_answers=too_long,
        closer_windows=closer,
        unknown_tokens=int(
            (questions.ids == tokenizer.unk_id).sum() + _unknown(ids_c, offsets_c, context_r, tokenizer)
        ),
    )
    return EncodedSplit(
        ids, offsets, first, rows_of_s, np.array(labels, np.int64), cut, context=ContextMap(first, chars, is_best)
    )


def _unknown(
    ids_c: NDArray[np.int32], offsets_c: NDArray[np.int64], context_r: NDArray[np.int64], tokenizer: Tokenizer
) -> int:
    """[UNK] in the paragraphs of all rows, a paragraph as often as it has questions."""
    before = starts_of((ids_c == tokenizer.unk_id).astype(np.int64))
    return int((before[offsets_c[1:]] - before[offsets_c[:-1]])[context_r].sum())


def overlapping_stride(room: int, stride: int, longest: int) -> int:
    """`stride`, or less where windows of `room` pieces would not overlap by `longest`, but for half of small ones.

    So an answer of `longest` pieces that one window cuts lies whole in the next, as it does in the released code at
    its usual lengths (windows of some 320 pieces, 128 apart).
    """
    return min(stride, room - min(longest, room // 2))


def window_starts(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """(first piece, pieces) of each window over a paragraph of `length` pieces; `room` and `stride` are positive."""
    windows = []
    start = 0
    while True:
        size = min(length - start, room)
        windows.append((start, size))
        if start + size >= length:
            return windows
        start += min(size, stride)


def best_context(windows: Sequence[tuple[int, int]]) -> list[NDArray[np.bool_]]:
    """For each window, which of its pieces have here more context than in any other window (ties: the first)."""
    length = windows[-1][0] + windows[-1][1]
    top = np.full(length, -1.0)
    scores = []
    for start, size in windows:
        index = np.arange(size)
        score = np.minimum(index, size - 1 - index) + 0.01 * size
        scores.append(score)
        np.maximum(top[start : start + size], score, out=top[start : start + size])
    taken = np.zeros(length, bool)
    result = []
    for (start, size), score in zip(windows, scores, strict=True):
        mine = (score == top[start : start + size]) & ~taken[start : start + size]
        taken[start : start + size] |= mine
        result.append(mine)
    return result


def _answer_pieces(row: SpanRow, chars: NDArray[np.int32]) -> tuple[int, int] | None:
    if not row.answers or not len(chars):
        return None
    text, begin = row.answers[0]
    end = begin + len(text)
    first = int(np.searchsorted(chars[:, 1], begin, side="right"))
    last = int(np.searchsorted(chars[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None


def _encode_with_characters(
    tokenizer: Tokenizer, texts: list[str]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    encodings = tokenizer.backend.encode_batch(texts, add_special_tokens=False)
    offsets = starts_of(np.array([len(encoding) for encoding in encodings], np.int64))
    ids = np.concatenate([np.array(encoding.ids, np.int32) for encoding in encodings])
    chars = np.concatenate([np.array(encoding.offsets, np.int32).reshape(-1, 2) for encoding in encodings])
    return ids, chars, offsets
