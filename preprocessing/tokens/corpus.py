"""The tokenised documents of one bucket, as flat arrays that compiled code walks through."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents in the order of the bucket's document table.

    Document d is the sentences `document_offsets[d]` to `document_offsets[d + 1]`; sentence s is the tokens
    `sentence_offsets[s]` to `sentence_offsets[s + 1]`. No document and no sentence is empty.
    """

    tokens: Array
    """uint16 or uint32, no special tokens"""
    sentence_offsets: Array
    """int64, sentences + 1"""
    document_offsets: Array
    """int64, documents + 1"""
    keys: Array
    """uint64, documents: what the random numbers of a document depend on"""
    word_starts: Array
    """bool, tokens: the token begins a word (each sentence begins one)"""

    @property
    def documents(self) -> int:
        return len(self.keys)

    def sentence_counts(self) -> Array:
        """Sentences of each document, int64 [documents]."""
        return np.diff(self.document_offsets)

    def token_counts(self) -> Array:
        """Tokens of each document, int64 [documents]."""
        return np.diff(self.sentence_offsets[self.document_offsets])

    def document_sentences(self, document: int) -> list[list[int]]:
        """The sentences of one document as lists of ids."""
        first, last = self.document_offsets[document : document + 2]
        bounds = self.sentence_offsets[first : last + 1]
        return [
            self.tokens[begin:end].tolist()
            for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]


def corpus_of(
    documents: list[list[list[int]]],
    keys: Array,
    is_continuation: Array,
    dtype: type[np.unsignedinteger[Any]] = np.uint16,
) -> Corpus:
    """A corpus from documents as lists of sentences as lists of ids; `is_continuation` is by id."""
    sentences = [sentence for document in documents for sentence in document]
    tokens = np.array([index for sentence in sentences for index in sentence], dtype)
    sentence_offsets = offsets_of(np.array([len(sentence) for sentence in sentences], np.int64))
    return Corpus(
        tokens=tokens,
        sentence_offsets=sentence_offsets,
        document_offsets=offsets_of(np.array([len(document) for document in documents], np.int64)),
        keys=np.asarray(keys, np.uint64),
        word_starts=word_starts(tokens, sentence_offsets, is_continuation),
    )


def offsets_of(lengths: Array) -> Array:
    """int64: 0, then the running sum of the lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def word_starts(tokens: Array, sentence_offsets: Array, is_continuation: Array) -> Array:
    """bool, by token: it begins a word. A sentence begins one even where its first piece looks like a continuation."""
    starts = ~is_continuation[tokens]
    starts[sentence_offsets[:-1]] = True
    return starts
