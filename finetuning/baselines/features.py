"""What a linear model reads of a row: words, pairs of words, what two texts share, the neighbours of a word.

No feature knows what a word means, or in which order words stand beyond its neighbours: that is what a pretrained model
has to add.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

COLUMNS = 2**20
"""Features are hashed into so many columns: memory does not grow with the vocabulary, and the few that meet share a
weight."""

# Chinese and Japanese ideographs are words of their own, as in BERT's first tokenizer.
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W{_IDEOGRAPHS}]+|[^\w\s]")
"""One word, or one mark."""
_EDGE = "\n"
"""Stands before the first word and after the last; no word can be it."""


@dataclass(frozen=True, slots=True)
class Features:
    """Of one row: names that are there or not, and numbers between 0 and 1, as many in every row."""

    names: Sequence[str]
    numbers: tuple[float, ...] = ()


def words_of(text: str) -> list[str]:
    """The words and marks of a text in order, in lower case."""
    return WORD.findall(text.lower())


def text_features(text: str) -> Features:
    """The words of a text, and each two that stand side by side, its edges too."""
    return Features(list(_grams(words_of(text))))


def pair_features(text_a: str, text_b: str) -> Features:
    """The words and pairs of words of each text, the words in both, and the shares of each text's words that these
    are."""
    a, b = words_of(text_a), words_of(text_b)
    in_both = set(a) & set(b)
    names = [f"a {name}" for name in _grams(a)] + [f"b {name}" for name in _grams(b)]
    shares = (len(in_both) / max(1, len(set(a))), len(in_both) / max(1, len(set(b))))
    return Features([*names, *(f"both {word}" for word in sorted(in_both))], shares)


def ending_features(context: str, ending: str) -> Features:
    """Of an ending of a context: its words and pairs of words, those that stand in the context too, which share that
    is, and the two words where both meet."""
    before, after = words_of(context), words_of(ending)
    shared = [word for word in after if word in set(before)]
    names = [*_grams(after), *(f"both {word}" for word in shared), f"meet {' '.join([*before[-1:], *after[:1]])}"]
    return Features(names, (len(shared) / max(1, len(after)),))


def window_features(words: Sequence[str]) -> Iterator[Features]:
    """Of each word of a sentence: itself, its ends and shape, two words on either side, and the shapes of those beside
    it."""
    lower = [_EDGE, _EDGE, *(word.lower() for word in words), _EDGE, _EDGE]
    shapes = [_EDGE, *map(shape_of, words), _EDGE]
    for place, word in enumerate(words):
        before2, before, own, after, after2 = lower[place : place + 5]
        left, shape, right = shapes[place : place + 3]
        yield Features(
            [
                *(f"0 {own}", f"-1 {before}", f"+1 {after}", f"-2 {before2}", f"+2 {after2}"),
                *(f"-10 {before} {own}", f"01 {own} {after}", f"as written {word}"),
                *(f"begins {own[:size]}" for size in (1, 2, 3)),
                *(f"ends {own[-size:]}" for size in (1, 2, 3, 4)),
                *(f"shape {shape}", f"shape -1 {left}", f"shape +1 {right}", f"shapes {left} {shape} {right}"),
                f"shape after {before} {shape}",
            ]
        )


def shape_of(word: str) -> str:
    """`Xx` for `Paris`, `d` for `1999`, `X.X.` for `U.S.`: capitals, small letters and digits, repeated ones once."""
    kinds = (
        "X" if letter.isupper() else "x" if letter.isalpha() else "d" if letter.isdigit() else letter for letter in word
    )
    kept: list[str] = []
    for kind in kinds:
        if kept[-1:] != [kind]:
            kept.append(kind)
    return "".join(kept)


@dataclass(frozen=True)
class Hashed:
    """Features of many rows: `names` [rows, COLUMNS] float32, 1 where a row has one; `numbers` [rows, …] float32."""

    names: csr_array
    numbers: NDArray[np.float32]

    def __getitem__(self, rows: NDArray[np.int64]) -> Hashed:
        return Hashed(self.names[rows], self.numbers[rows])


def hashed(rows: Iterable[Features]) -> Hashed:
    """The features of rows, which are asked for one by one."""
    # Late: it takes a second, and the help needs none of it.
    from sklearn.feature_extraction import FeatureHasher

    numbers: list[tuple[float, ...]] = []

    def names() -> Iterator[Sequence[str]]:
        for row in rows:
            numbers.append(row.numbers)
            yield row.names

    hasher = FeatureHasher(COLUMNS, input_type="string", dtype=np.float32, alternate_sign=False)
    found = csr_array(hasher.transform(names()))
    found.data[:] = 1
    return Hashed(found, np.array(numbers, np.float32).reshape(len(numbers), -1))


class Columns:
    """The columns that some rows have; what other rows have beyond them says nothing."""

    def __init__(self, rows: Hashed, fewest: int = 1) -> None:
        """Names of fewer than `fewest` of these rows are left out."""
        counts_c = np.bincount(rows.names.indices, minlength=COLUMNS)
        self._kept_c: NDArray[np.int64] = np.flatnonzero(counts_c >= fewest)

    def of(self, rows: Hashed) -> csr_array:
        """[rows, columns] float32: the names first, then the numbers."""
        parts = [rows.names[:, self._kept_c], csr_array(rows.numbers)]
        return csr_array(hstack(parts, format="csr", dtype=np.float32))


def _grams(words: Sequence[str]) -> Iterator[str]:
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise([_EDGE, *words, _EDGE]))
