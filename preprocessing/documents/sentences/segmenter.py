"""Sentence segmentation with Wikimedia's `sentencex` (rules for some 300 languages, MIT, Rust)."""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

import sentencex

from preprocessing.documents.sentences.enumerations import ITEM_BEGINS, items
from preprocessing.documents.sentences.inch_marks import without_inch_marks
from preprocessing.documents.sentences.quotations import cut_inside_quotations
from preprocessing.documents.sentences.rules import Rules
from preprocessing.documents.sentences.table import SentenceTable, sentence_table
from preprocessing.errors import PreprocessingError

# Far above any real sentence: text without sentence marks (tables, scripts without full stops) is cut at a
# space here, since whatever builds examples truncates an over-long sentence and would lose the rest.
SENTENCE_CHARACTERS = 5_000
# The segmenter's time grows faster than a paragraph's length; longer ones are shown to it window by window.
_WINDOW_CHARACTERS = 10_000
# Longer sentences are cut inside quotation marks too, where the engine never cuts.
_QUOTATION_CHARACTERS = 200
_IN_BRACKETS = re.compile(r"\([^()]*[.!?…।؟۔]['\"”’»]?\)\s+|（[^（）]*[。！？]）")
_PAIRS = (("«", "»"), ("“", "”"), ("(", ")"), ("「", "」"), ("『", "』"), ("（", "）"))
# The engine takes the end of an acronym, and whatever single letter follows a capitalised word, for an initial: "in the
# E.U. But", "Vitamin C. Then".
_SINGLE_LETTER = re.compile(r"\. (?<=[A-Z]\. )(?<![^\W_][A-Z]\. )")  # the full stop first: it is rarer than letters
# Before a digit or a letter of ASCII the engine takes no mark for an end: "…である。2010年に…".
_UNSPACED = re.compile(r"[。！？][！？]*[”’」』）]*(?=[0-9A-Za-z])")
# What of ASCII the engine may cut at in any language: the question mark of Greek is a semicolon, the full stop of
# Armenian a colon, and items of a list are numbered 1) 2).
_MAY_END = re.compile(r"[.!?;:)\n]")


class Segmenter:
    """Cuts paragraphs into sentences; a sentence never crosses a paragraph."""

    def __init__(self, language: str) -> None:
        """`language`: ISO 639-1 or Wikipedia's code.

        A language with a table (`preprocessing/languages/`) is cut by it; others are left to `sentencex`, which falls
        back on related rules, then on English. Raises PreprocessingError when `language` is not the shape of a code.
        """
        if not language.replace("-", "").isalpha() or not 2 <= len(language.split("-")[0]) <= 8:
            raise PreprocessingError(f"--language {language!r} is not a language code; give one such as en, de or zh.")
        self.language = language
        table = sentence_table(language)
        self._rules = Rules(table) if table else None
        self._engine = table.engine if table else language
        self._further = _further_ends(table) if table else None
        self._stop = (table and table.stops) or "\0"
        self._acronyms = table is not None and table.initials
        self._unspaced = table is not None and table.unspaced

    def segment(self, paragraphs: Iterable[str]) -> list[str]:
        """The sentences of cleaned paragraphs in order, stripped, never empty, at most 5,000 characters each."""
        sentences: list[str] = []
        for paragraph in paragraphs:
            for sentence in self._cut(paragraph):
                if len(sentence) > _QUOTATION_CHARACTERS:
                    sentences += cut_inside_quotations(sentence, self._cut_quoted, SENTENCE_CHARACTERS)
                elif sentence := sentence.strip():
                    sentences.append(sentence)
        return sentences

    def _cut(self, text: str) -> list[str]:
        """The text in sentences with the white space behind them: every character is in one of them."""
        shown = without_inch_marks(text)
        if shown is text:
            return self._cut_shown(text)
        ends = list(accumulate(map(len, self._cut_shown(shown)), initial=0))
        return [text[start:end] for start, end in pairwise(ends)]

    def _cut_quoted(self, text: str) -> list[str]:
        # Most of what stands in brackets or quotation marks is plainly no sentence, let alone two.
        if len(text) <= _WINDOW_CHARACTERS and text.isascii() and not _MAY_END.search(text):
            return [text]
        return self._cut(text)

    def _cut_shown(self, text: str) -> list[str]:
        if self._rules is None or not text:
            return self._by_engine(text)
        if text[:1] in ITEM_BEGINS:
            return [sentence for part in items(text, self._rules.table) for sentence in self._mended(part)]
        return self._mended(text)

    def _by_engine(self, text: str) -> list[str]:
        if len(text) <= _WINDOW_CHARACTERS:
            return sentencex.segment(self._engine, text)
        return list(self._by_windows(text))

    def _by_windows(self, paragraph: str) -> Iterator[str]:
        """Each window begins where the last sentence of the window before began: only its end may be a wrong one."""
        start = 0
        while len(paragraph) - start > _WINDOW_CHARACTERS:
            window = paragraph[start : start + _WINDOW_CHARACTERS]
            found = sentencex.segment(self._engine, window)
            last = found.pop()
            if len(last) > SENTENCE_CHARACTERS:  # without this step a window could move by a character at a time
                found.append(last[: last.rfind(" ") + 1] or last)
            yield from found
            start += sum(map(len, found))
        yield from sentencex.segment(self._engine, paragraph[start:])

    def _mended(self, text: str) -> list[str]:
        """The engine's pieces, further cut where it does not, and joined where no sentence ends."""
        pieces = self._by_engine(text)
        if (
            "(" in text
            or self._stop in text
            or (self._acronyms and _SINGLE_LETTER.search(text))
            or (self._unspaced and (text[0] == "（" or _UNSPACED.search(text)))
        ):
            further = self._further
            pieces = [
                part
                for piece in pieces
                for part in (
                    self._cut_further(piece)
                    if piece[0] in "(（" or (further is not None and further.search(piece))
                    else (piece,)
                )
            ]
        if len(pieces) < 2 or not self._rules:
            return pieces
        return self._rules.joined(pieces, SENTENCE_CHARACTERS, self._rules.quotes(text))

    def _cut_further(self, piece: str) -> Iterator[str]:
        start = 0
        in_brackets = _IN_BRACKETS.match(piece)
        if in_brackets:
            start = in_brackets.end()
            yield piece[:start]
        for end in self._further.finditer(piece, start) if self._further else ():
            said = piece[start : end.end()]
            if said.count('"') % 2 == 0 and all(said.count(mark) == said.count(close) for mark, close in _PAIRS):
                yield said
                start = end.end()
        if start < len(piece):
            yield piece[start:]


def _further_ends(table: SentenceTable) -> "re.Pattern[str] | None":
    """What may end a sentence where the engine sees no end; the rules decide."""
    ends = [rf"{re.escape(table.stops)}[\"»”’)]*\s+"] if table.stops else []
    if table.initials:
        ends.append(_SINGLE_LETTER.pattern)
    if table.unspaced:
        ends.append(_UNSPACED.pattern)
    return re.compile("|".join(ends)) if ends else None
