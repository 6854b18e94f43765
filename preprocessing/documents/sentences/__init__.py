"""Sentences of cleaned paragraphs: cut by Wikimedia's `sentencex`, mended by what a language's table knows."""

from preprocessing.documents.sentences.segmenter import SENTENCE_CHARACTERS, Segmenter

__all__ = ["SENTENCE_CHARACTERS", "Segmenter", "enumerations", "quotations", "rules", "segmenter", "table", "words"]
