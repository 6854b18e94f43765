"""Whole entities of each sentence, as seqeval counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Entity = tuple[str, int, int]
"""Type, first word, last word."""


def entities(tags: Sequence[str]) -> set[Entity]:
    """The entities that the tags of a sentence spell."""
    import warnings

    from seqeval.metrics.sequence_labeling import get_entities

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are no IOB2: a user's own
        return set(get_entities(list(tags)))


def sentence_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """[i, 5] of each sentence: entities that are right, given, and to be found; words with the right tag; words."""
    counts = []
    for right, given in zip(gold, predicted, strict=True):
        wanted, found = entities(right), entities(given)
        same = sum(a == b for a, b in zip(right, given, strict=True))
        counts.append((len(wanted & found), len(found), len(wanted), same, len(right)))
    return np.array(counts, np.float64).reshape(len(gold), 5)


def best_constant_tags(gold: Sequence[Sequence[str]]) -> list[str]:
    """The tags of which one, given to every word, scores best by any metric of entities or words.

    The commonest, and those of the highest F1, precision and recall of whole entities: `B-` tags find the entities of
    one word, `I-` tags those of a whole sentence.
    """
    common = Counter(tag for tags in gold for tag in tags)
    if not common:
        return []
    wanted = [entities(tags) for tags in gold]
    total = sum(map(len, wanted))
    lengths = Counter(map(len, gold))
    figures: dict[str, dict[str, Any]] = {"f1": {}, "precision": {}, "recall": {}}
    for tag in sorted(common):
        # What one tag spells depends on the length of the sentence alone.
        spelt = {length: entities([tag] * length) for length in lengths}
        found = sum(count * len(spelt[length]) for length, count in lengths.items())
        hits = sum(len(spelt[len(tags)] & right) for tags, right in zip(gold, wanted, strict=True))
        figures["f1"][tag] = 2 * hits / max(found + total, 1)
        figures["precision"][tag] = hits / max(found, 1)
        figures["recall"][tag] = hits / max(total, 1)
    best = [max(values, key=lambda tag: (values[tag], tag)) for values in figures.values()]
    return list(dict.fromkeys([min(common, key=lambda tag: (-common[tag], tag)), *best]))
