"""What did not fit into the sequences of a split, counted: nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

SMALL_SHARE = 0.01
"""Share of a split's rows up to which a cut needs no warning."""
UNKNOWN_SHARE = 0.1
"""Share of [UNK] among a split's tokens above which the tokenizer hardly knows its language."""


@dataclass(frozen=True, slots=True)
class Truncation:
    """Counts of one split; tokens are pieces of the tokenizer, without special ones unless said."""

    rows: int
    """Rows of the split."""
    truncated_rows: int
    """Rows that lost tokens."""
    truncated_share: float
    """Of the rows, a fraction."""
    tokens: int
    """Of all rows, before anything was cut."""
    lost_tokens: int
    """Tokens that were cut off."""
    longest: int
    """Tokens of the longest sequence that nothing would have been cut from, special ones included."""
    limit: int
    """The length that cuts: `max_length`, or `max_query_length` where only questions are cut."""
    limit_name: str = "max_length"
    """The option that sets `limit`."""
    rows_in_parts: int = 0
    """Rows that were too long and are read in several sequences: windows of a paragraph, parts of a sentence."""
    empty_rows: int = 0
    """Rows with a text of no tokens: white space, or characters that the tokenizer drops."""
    words_without_tokens: int = 0
    """Words with a tag but no token: they are answered as outside every entity, and scored so."""
    rows_without_document: int = 0
    """Token tasks with document context: sentences of which no document is known; they are read alone."""
    unreached_answers: int = 0
    """Span tasks: rows whose answer lies whole in no window; they train as if there were none."""
    too_long_answers: int = 0
    """Span tasks: rows whose answer has more tokens than `max_answer_length`, and so is never given."""
    closer_windows: int = 0
    """Span tasks: rows whose windows are closer together than `document_stride`, which would leave answers between."""
    unknown_tokens: int = 0
    """[UNK] among the tokens that were kept."""

    def __add__(self, other: Truncation) -> Truncation:
        """The counts of two parts of a split, of one limit."""
        summed = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name not in ("truncated_share", "longest", "limit", "limit_name")
        }
        share = summed["truncated_rows"] / max(summed["rows"], 1)
        return replace(self, **summed, truncated_share=share, longest=max(self.longest, other.longest))

    def line(self, name: str) -> str:
        """All of it in one line for a log, after the split's name."""
        parts = [self._cut() if self.truncated_rows else f"none of {self.rows} rows is cut at {self._limit()}"]
        parts += [f"the longest has {self.longest} tokens"] if not self.truncated_rows else []
        others = (
            (self.rows_in_parts, "rows are read in several sequences"),
            (self.empty_rows, "rows have a text without tokens"),
            (self.words_without_tokens, "words have no token and count as outside every entity"),
            (self.rows_without_document, "rows are of no known document and are read alone"),
            (self.unreached_answers, "answers lie whole in no window"),
            (self.too_long_answers, "answers are longer than max_answer_length"),
            (self.closer_windows, "rows have windows closer together than document_stride, so that they overlap"),
            (self.unknown_tokens, "tokens are [UNK]"),
        )
        parts += [f"{count} {what}" for count, what in others if count]
        return f"{name}: {'; '.join(parts)}"

    def warnings(self, name: str) -> tuple[str, ...]:
        """What of it is more than a small share of the split, each with what to do."""
        said = []
        if self.truncated_share > SMALL_SHARE:
            raise_it = "pass a larger --max-length" if self.limit_name == "max_length" else f"raise {self.limit_name}"
            said.append(f"{name}: {self._cut()}; {raise_it} to keep more")
        if self.rows_without_document:
            said.append(
                f"{name}: {self.rows_without_document} of {self.rows} rows are of no known document, so they are read "
                "without context; mark where documents begin (-DOCSTART-, or a column document)"
            )
        if self.unreached_answers > SMALL_SHARE * self.rows:
            said.append(
                f"{name}: {self.unreached_answers} of {self.rows} answers lie whole in no window, to be neither learnt "
                "nor found; pass a larger --max-length or lower document_stride in the task"
            )
        if self.closer_windows:
            said.append(
                f"{name}: {self.closer_windows} of {self.rows} rows are read in windows closer together than "
                "document_stride, for windows this short would not overlap by an answer; pass a larger --max-length to "
                "have fewer of them"
            )
        if self.too_long_answers > SMALL_SHARE * self.rows:
            said.append(
                f"{name}: {self.too_long_answers} of {self.rows} answers are longer than max_answer_length and can "
                "never be given; raise it in the task"
            )
        if self.empty_rows > SMALL_SHARE * self.rows:
            said.append(
                f"{name}: {self.empty_rows} of {self.rows} rows have a text without tokens; look at the columns"
            )
        kept = self.tokens - self.lost_tokens
        if self.unknown_tokens > UNKNOWN_SHARE * kept:
            said.append(
                f"{name}: {self.unknown_tokens} of {kept} tokens are [UNK]; the model's vocabulary may be of another "
                "language"
            )
        return tuple(said)

    def _limit(self) -> str:
        return f"{self.limit_name} {self.limit}"

    def _cut(self) -> str:
        return (
            f"{self.truncated_rows} of {self.rows} rows ({_percent(self.truncated_rows, self.rows)}) are cut at "
            f"{self._limit()}, {self.lost_tokens} of {self.tokens} tokens lost, the longest has {self.longest}"
        )


def _percent(part: int, whole: int) -> str:
    """100 % only where it is all."""
    return f"{100 * part / whole:.2g} %" if 10 * part < whole else f"{100 * part // whole} %"


@dataclass(frozen=True)
class Cut:
    """What a split lost, by row and in sum."""

    lost_r: NDArray[np.int64]
    """Tokens that each row lost."""
    counts: Truncation


def cut_of(
    lost_r: NDArray[np.int64], tokens: int, longest: int, limit: int, limit_name: str = "max_length", **others: int
) -> Cut:
    """The cut of a split from what each row lost; `others` are further counts of `Truncation`."""
    rows, truncated = len(lost_r), int((lost_r > 0).sum())
    share = truncated / max(rows, 1)
    counts = Truncation(rows, truncated, share, tokens, int(lost_r.sum()), longest, limit, limit_name, **others)
    return Cut(lost_r, counts)


def together(parts: Sequence[Truncation]) -> Truncation:
    """The counts of the parts of a split; at least one."""
    result = parts[0]
    for part in parts[1:]:
        result += part
    return result
