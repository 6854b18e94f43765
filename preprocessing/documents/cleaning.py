"""Rules that make paragraphs uniform and refuse documents that are not prose; each rule has a counter.

Counters: `cleaning.control_characters` and `cleaning.combining_marks` (removed), `cleaning.normalised_paragraphs`,
`cleaning.boilerplate_paragraphs`; whole documents go under `dropped.empty`, `dropped.too_short`,
`dropped.mostly_symbols`, `dropped.repetitive`.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable

from preprocessing.documents.options import CleaningOptions
from preprocessing.documents.text_bytes import are_plain, count_symbols
from preprocessing.tally import Tally

# Controls that are not white space, soft hyphens, zero-width and direction marks, surrogates, private use, the
# replacement character and noncharacters: BERT's tokenizer deletes them anyway, or would see [UNK]. The joiners
# U+200C and U+200D stay, because Persian and Indic spelling needs them and emoji are built with them.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\uffff\U000e0000-\U000e007f\U000f0000-\U0010ffff]+"
)
# Stream-Safe Text Format (Unicode Standard Annex 15, section 13) allows 30 combining marks in a row. In fewer
# characters than `_LONG` a longer run costs less than a millisecond.
_MARKS_IN_A_ROW = 30
_LONG = 1000


class Cleaner:
    """Applies `CleaningOptions` to the paragraphs of one document at a time. Holds no state between documents."""

    def __init__(self, options: CleaningOptions) -> None:
        self.options = options
        self._phrases = tuple(phrase.lower() for phrase in options.boilerplate_phrases)

    def clean(self, paragraphs: Iterable[str], tally: Tally) -> list[str]:
        """The paragraphs normalised, on one line each, without boilerplate; never empty strings."""
        given = list(paragraphs)
        cleaned: list[str] = []
        for paragraph, is_plain in zip(given, are_plain(given), strict=True):
            text = paragraph if is_plain else self._mended(paragraph, tally)
            if len(text) <= self.options.boilerplate_maximum_characters and self._is_boilerplate(text):
                tally.count("cleaning.boilerplate_paragraphs")
            elif text:
                cleaned.append(text)
        return cleaned

    def refusal(self, paragraphs: list[str]) -> str | None:
        """Why the whole (cleaned) document is dropped, as the last part of a `dropped.*` counter, or None."""
        options = self.options
        characters = sum(map(len, paragraphs))
        if not characters:
            return "empty"
        if characters < options.minimum_characters:
            return "too_short"
        if options.maximum_symbol_share < 1 and self._symbol_share(paragraphs) > options.maximum_symbol_share:
            return "mostly_symbols"
        if (
            options.maximum_repeated_share < 1
            and _repeated_characters(paragraphs) > options.maximum_repeated_share * characters
        ):
            return "repetitive"
        return None

    def _mended(self, text: str, tally: Tally) -> str:
        # Most paragraphs are already clean: two C loops decide that, the costly steps run on the others only.
        form = self.options.normalization
        if len(text) > _LONG and form != "none" and not text.isascii() and _may_have_long_runs(text):
            text = _with_short_runs(text, tally)
        if form != "none" and not unicodedata.is_normalized(form, text):
            text = unicodedata.normalize(form, text)
            tally.count("cleaning.normalised_paragraphs")
        if not text.isprintable():
            if self.options.drop_control_characters:
                kept = _UNPRINTABLE.sub("", text)
                if len(kept) != len(text):
                    tally.count("cleaning.control_characters", len(text) - len(kept))
                    text = kept
            else:
                text = text.encode("utf-8", "ignore").decode()  # a lone surrogate cannot be written in UTF-8
            text = " ".join(text.split())
        elif "  " in text or text[:1] == " " or text[-1:] == " ":
            text = " ".join(text.split())
        return text

    def _is_boilerplate(self, text: str) -> bool:
        lowered = text.lower()
        return any(phrase in lowered for phrase in self._phrases)

    @staticmethod
    def _symbol_share(paragraphs: list[str]) -> float:
        """Bytes of UTF-8 that are ASCII but neither letter nor space, over all that are not spaces.

        Every byte from 0x80 belongs to a character outside ASCII: a letter, far more often than not.
        """
        symbols, counted = count_symbols(paragraphs)
        return symbols / max(counted, 1)


def _with_short_runs(text: str, tally: Tally) -> str:
    """The text with no more marks in a row than any script writes: to sort a run of n of them takes n² steps."""
    shortened = _long_runs_of_marks().sub(lambda run: run[0][:_MARKS_IN_A_ROW], text)
    if len(shortened) != len(text):
        tally.count("cleaning.combining_marks", len(text) - len(shortened))
    return shortened


def _may_have_long_runs(text: str) -> bool:
    """False where no run of marks is too long: of those that are, each has a mark at one of these places."""
    return not _marks().isdisjoint(text[_MARKS_IN_A_ROW :: _MARKS_IN_A_ROW + 1])


@functools.cache
def _marks() -> frozenset[str]:
    return frozenset(chr(code) for code in range(0x300, 0x20000) if unicodedata.combining(chr(code)))


@functools.cache
def _long_runs_of_marks() -> "re.Pattern[str]":
    return re.compile(f"[{''.join(sorted(_marks()))}]{{{_MARKS_IN_A_ROW + 1},}}")


def _repeated_characters(paragraphs: list[str]) -> int:
    """Characters in paragraphs that stood in the document before, word for word (Rae et al. 2021, table A1)."""
    seen: set[str] = set()
    repeated = 0
    for paragraph in paragraphs:
        if paragraph in seen:
            repeated += len(paragraph)
        else:
            seen.add(paragraph)
    return repeated
