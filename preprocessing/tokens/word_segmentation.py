"""A hook for whole-word masking in languages that write no spaces: somebody's word segmenter, `module:function`.

WordPiece cuts Chinese into characters, each a word of its own. The function takes a text and returns its words, whose
concatenation is the text (as `jieba.lcut` does); characters inside a word then belong together like "##" pieces.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable

import numpy as np

from preprocessing.errors import PreprocessingError
from preprocessing.sources.identity import content_hash
from preprocessing.tokens.corpus import Array
from preprocessing.tokens.tokenizer import Tokenizer

WordSegmenter = Callable[[str], Iterable[str]]


@functools.cache
def load_word_segmenter(name: str) -> WordSegmenter:
    """Imports `module:function`. PreprocessingError when there is no such thing."""
    module, _, function = name.partition(":")
    try:
        found: WordSegmenter = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise PreprocessingError(
            f"--word-segmenter {name}: {error}; give module:function of something installed, such as jieba:lcut."
        ) from error
    return found


def segmenter_identity(name: str) -> str:
    """A hash of the file that defines the segmenter: its name says nothing of what it does."""
    file = inspect.getsourcefile(inspect.unwrap(load_word_segmenter(name)))
    return "" if file is None else content_hash(file)


def segmented_word_starts(sentence: str, segmenter: WordSegmenter, tokenizer: Tokenizer) -> Array:
    """bool, by token of the sentence: it begins a word.

    A token begins a word where it begins one of the segmenter's words, or where it is ordinary to begin one: after a
    space or at a piece without "##" outside the ideographs. Raises PreprocessingError when the words are not the text.
    """
    encoding = tokenizer.backend.encode(sentence, add_special_tokens=False)
    starts = ~tokenizer.is_continuation[np.array(encoding.ids, np.int64)]
    if sentence.isascii():
        return starts
    words = list(segmenter(sentence))
    if "".join(words) != sentence:
        raise PreprocessingError(
            f"The word segmenter changed the text {sentence[:40]!r}; it must return words that join to the same text."
        )
    boundaries = set(np.cumsum([0, *map(len, words)]).tolist())
    for token, (begin, end) in enumerate(encoding.offsets):
        if starts[token] and end - begin == 1 and is_ideograph(sentence[begin]) and begin not in boundaries:
            starts[token] = False
    return starts


def is_ideograph(character: str) -> bool:
    """Whether WordPiece sets spaces around the character: the CJK blocks of BERT's basic tokenizer."""
    code = ord(character)
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x2CEAF
        or 0x2F800 <= code <= 0x2FA1F
    )
