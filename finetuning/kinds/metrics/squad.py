"""SQuAD's official scores: exact match and F1 of words, and the best null threshold.

Definitions: the evaluation scripts of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

from finetuning.kinds.rows import SpanRow

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = frozenset(string.punctuation)

NEVER = 1e9
"""Stands for an infinite difference of scores: JSON has no infinity."""


def normalise_answer(text: str) -> str:
    """Lower case, without punctuation, articles and doubled white space, in this order."""
    text = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def exact_match(gold: str, predicted: str) -> float:
    """1 where the normalised texts are equal, else 0."""
    return float(normalise_answer(gold) == normalise_answer(predicted))


def token_f1(gold: str, predicted: str) -> float:
    """F1 of the bags of normalised words; where one text has no words, 1 only if the other has none either."""
    gold_words, words = normalise_answer(gold).split(), normalise_answer(predicted).split()
    if not gold_words or not words:
        return float(gold_words == words)
    common = sum((Counter(gold_words) & Counter(words)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(words), common / len(gold_words)
    return 2 * precision * recall / (precision + recall)


def score_answers(
    rows: Sequence[SpanRow], texts: Mapping[str, str]
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Mean exact match and F1, and both for each question; the best over a question's gold answers counts.

    As the official script does, gold answers without words are left out, and a question without gold answers is
    answered by the empty text.
    """
    each: dict[str, tuple[float, float]] = {}
    for row in rows:
        golds = [text for text, _ in row.answers if normalise_answer(text)] or [""]
        text = texts[row.id]
        each[row.id] = (max(exact_match(gold, text) for gold in golds), max(token_f1(gold, text) for gold in golds))
    count = max(len(rows), 1)
    means = {
        "exact_match": sum(pair[0] for pair in each.values()) / count,
        "f1": sum(pair[1] for pair in each.values()) / count,
    }
    return means, each


def best_threshold(
    rows: Sequence[SpanRow],
    each: Mapping[str, tuple[float, float]],
    spans: Mapping[str, str],
    null_odds: Mapping[str, float],
    which: int,
) -> tuple[float, float]:
    """The best mean score over all null thresholds, and the threshold (official script, `find_best_thresh`).

    `spans`: the best answers that are not empty; `each`: their scores; `which`: 0 exact match, 1 F1.
    """
    answerable = {row.id: bool(row.answers) for row in rows}
    total = float(sum(not has for has in answerable.values()))
    best, threshold = total, -NEVER
    for identifier in sorted(null_odds, key=lambda name: null_odds[name]):
        if answerable[identifier]:
            total += each[identifier][which]
        elif spans[identifier]:
            total -= 1.0
        if total > best:
            best, threshold = total, null_odds[identifier]
    return best / max(len(rows), 1), threshold
