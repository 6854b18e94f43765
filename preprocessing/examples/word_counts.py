"""How many words of each length all segments hold, without a look at every example.

The same words stand in many examples, pass after pass. So the corpus is walked through once: a difference array says of
every word in how many segments it stands whole, and only a word that a segment cuts is counted where it is cut.
"""

import numpy as np

from preprocessing.compiled import compiled
from preprocessing.examples.pairs import Plan
from preprocessing.tokens.corpus import Array

LONGEST_WORD = 32
"""Longer words are counted with those of this many pieces."""


def count_words(plan: Plan, word_starts: Array) -> Array:
    """int64 [LONGEST_WORD + 1]: words of so many pieces in the segments of all examples.

    `word_starts` is by position in the corpus, as `plan` points into it. A segment begins a word.
    """
    counts = np.zeros(LONGEST_WORD + 1, np.int64)
    covered = np.zeros(len(word_starts) + 1, np.int32)
    for start, end in ((plan.a_start, plan.a_end), (plan.b_start, plan.b_end)):
        _cover(start, end, word_starts, covered, counts)
    _add_whole_words(word_starts, covered, counts)
    return counts


@compiled
def _cover(start, end, word_starts, covered, counts):  # type: ignore[no-untyped-def]
    """Marks where the whole words of each segment begin and end, and counts the words that it cuts."""
    for row in range(len(start)):
        first, last = start[row], end[row]
        if first == last:
            continue
        whole = first
        while whole < last and not word_starts[whole]:
            whole += 1
        if whole == last:  # a piece out of the middle of one word
            counts[min(last - first, LONGEST_WORD)] += 1
            continue
        if whole > first:
            counts[min(whole - first, LONGEST_WORD)] += 1
        if last < len(word_starts) and not word_starts[last]:
            cut = last - 1
            while not word_starts[cut]:
                cut -= 1
            counts[min(last - cut, LONGEST_WORD)] += 1
            last = cut
        covered[whole] += 1
        covered[last] -= 1


@compiled
def _add_whole_words(word_starts, covered, counts):  # type: ignore[no-untyped-def]
    segments = 0
    begin = 0
    for token in range(len(word_starts)):
        if word_starts[token]:
            counts[min(token - begin, LONGEST_WORD)] += segments
            segments += covered[token]
            begin = token
    counts[min(len(word_starts) - begin, LONGEST_WORD)] += segments
