"""Sentence segmentation with Wikimedia's `sentencex` (rules for some 300 languages, MIT, Rust)."""

from collections.abc import Iterable

import sentencex

from preprocessing.errors import PreprocessingError

# Far above any real sentence: text without sentence marks (tables, scripts without full stops) is cut at a
# space here, since whatever builds examples truncates an over-long sentence and would lose the rest.
SENTENCE_CHARACTERS = 5_000


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
            for sentence in sentencex.segment(language, paragraph):
                sentence = sentence.strip()
                if len(sentence) > SENTENCE_CHARACTERS:
                    sentences.extend(_cut_at_spaces(sentence))
                elif sentence:
                    sentences.append(sentence)
        return sentences


def _cut_at_spaces(sentence: str) -> Iterable[str]:
    start = 0
    while len(sentence) - start > SENTENCE_CHARACTERS:
        space = sentence.rfind(" ", start + 1, start + SENTENCE_CHARACTERS + 1)
        end = space if space > start else start + SENTENCE_CHARACTERS
        yield sentence[start:end].strip()
        start = end
    rest = sentence[start:].strip()
    if rest:
        yield rest
