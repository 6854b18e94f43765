"""Sentence segmentation with Wikimedia's `sentencex` (rules for some 300 languages, MIT, Rust)."""

import re
from collections.abc import Iterable, Iterator

import sentencex

from preprocessing.errors import PreprocessingError

# Far above any real sentence: text without sentence marks (tables, scripts without full stops) is cut at a
# space here, since whatever builds examples truncates an over-long sentence and would lose the rest.
SENTENCE_CHARACTERS = 5_000
# The segmenter's time grows faster than a paragraph's length; longer ones are shown to it window by window.
_WINDOW_CHARACTERS = 10_000
# The segmenter never cuts inside quotation marks or brackets, so a speech would be one sentence, however long (in
# Austen's novels a quarter of the text stood in sentences of more than 500 characters). Longer ones are cut there too.
_QUOTATION_CHARACTERS = 200
_QUOTED = re.compile(
    r"\"([^\"]+)\"?|“([^”]+)”?|«([^»]+)»?|„([^“”]+)[“”]?|「([^」]+)」?|\(([^()]+)\)?|`([^`]+?)'(?!\w)|(?<!\w)‘([^‘]+?)’(?!\w)"
)


class Segmenter:
    """Cuts paragraphs into sentences; a sentence never crosses a paragraph."""

    def __init__(self, language: str) -> None:
        """`language`: ISO 639-1 or Wikipedia's code; `sentencex` falls back on related rules, then on English.

        Raises PreprocessingError when `language` is not the shape of a code.
        """
        if not language.replace("-", "").isalpha() or not 2 <= len(language.split("-")[0]) <= 8:
            raise PreprocessingError(f"--language {language!r} is not a language code; give one such as en, de or zh.")
        self.language = language

    def segment(self, paragraphs: Iterable[str]) -> list[str]:
        """The sentences of cleaned paragraphs in order, stripped, never empty, at most 5,000 characters each."""
        sentences: list[str] = []
        language = self.language
        for paragraph in paragraphs:
            short = len(paragraph) <= _WINDOW_CHARACTERS
            for sentence in sentencex.segment(language, paragraph) if short else self._by_windows(paragraph):
                if len(sentence) > _QUOTATION_CHARACTERS:
                    sentences.extend(self._cut(sentence))
                elif sentence := sentence.strip():
                    sentences.append(sentence)
        return sentences

    def _by_windows(self, paragraph: str) -> Iterator[str]:
        """Each window begins where the last sentence of the window before began: only its end may be a wrong one."""
        start = 0
        while len(paragraph) - start > _WINDOW_CHARACTERS:
            window = paragraph[start : start + _WINDOW_CHARACTERS]
            found = sentencex.segment(self.language, window)
            if len(found) == 1:
                found = [window[: window.rfind(" ") + 1] or window, ""]
            yield from found[:-1]
            start += sum(map(len, found[:-1]))
        yield from sentencex.segment(self.language, paragraph[start:])

    def _cut(self, sentence: str) -> Iterator[str]:
        """A long sentence cut inside quotations; what no mark cuts is cut at spaces."""
        start = 0
        for cut in [*self._cuts_in_quotations(sentence), len(sentence)]:
            yield from _cut_at_spaces(sentence[start:cut].strip())
            start = cut

    def _cuts_in_quotations(self, sentence: str) -> Iterator[int]:
        for quotation in _QUOTED.finditer(sentence):
            group = quotation.lastindex or 0
            position = quotation.start(group)
            for inner in sentencex.segment(self.language, quotation[group])[:-1]:
                position += len(inner)
                yield position


def _cut_at_spaces(sentence: str) -> Iterator[str]:
    start = 0
    while len(sentence) - start > SENTENCE_CHARACTERS:
        space = sentence.rfind(" ", start + 1, start + SENTENCE_CHARACTERS + 1)
        end = space if space > start else start + SENTENCE_CHARACTERS
        yield sentence[start:end].strip()
        start = end
    rest = sentence[start:].strip()
    if rest:
        yield rest
