"""Runs of n words as 64-bit hashes: the common ground of near-duplicates and decontamination."""

import re

import numpy as np
import xxhash

_WORD = re.compile(r"[^\W_]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_WORDS_REMEMBERED = 1 << 20
# Letters and digits as they are, capitals as small letters, everything else a space.
_ASCII_WORDS = bytes(ord(chr(i).lower()) if i < 128 and chr(i).isalnum() else 32 for i in range(256))


class WordHasher:
    """Words of text → xxh3 hashes → hashes of n words in a row. Remembers at most 2^20 words."""

    def __init__(self, ngram_words: int) -> None:
        self.ngram_words = ngram_words
        self._hashes: dict[bytes, int] = {}

    def words(self, text: str) -> list[bytes]:
        """Lower-cased runs of letters and digits, in UTF-8."""
        if text.isascii():
            return text.encode().translate(_ASCII_WORDS).split()
        return [word.encode() for word in _WORD.findall(text.lower())]

    def ngrams(self, words: list[bytes]) -> np.ndarray:
        """uint64 [max(words - n + 1, 0)]: the hash of the n-gram that begins at each word."""
        count = len(words) - self.ngram_words + 1
        if count <= 0:
            return np.empty(0, np.uint64)
        hashes = self._hashes
        try:
            values = [hashes[word] for word in words]
        except KeyError:
            if len(hashes) > _WORDS_REMEMBERED:
                hashes.clear()
            for word in words:
                if word not in hashes:
                    hashes[word] = xxhash.xxh3_64_intdigest(word)
            values = [hashes[word] for word in words]
        word_hashes = np.array(values, np.uint64)
        combined = word_hashes[:count].copy()
        for shift in range(1, self.ngram_words):  # a polynomial in the multiplier, modulo 2^64
            combined *= _MULTIPLIER
            combined += word_hashes[shift : shift + count]
        return combined ^ (combined >> np.uint64(29))
