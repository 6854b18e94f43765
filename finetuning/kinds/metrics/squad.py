"""SQuAD's official scores: exact match and F1 of words, and the best null threshold.

Definitions: the evaluation scripts of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


def answer_scores(answers: Sequence[str], text: str) -> tuple[float, float]:
    """Exact match and F1 of an answer; the best over the gold answers counts.

    As the official script does, gold answers without words are left out, and a question without gold answers is
    answered by the empty text.
    """
    golds = [answer for answer in answers if normalise_answer(answer)] or [""]
    return max(exact_match(gold, text) for gold in golds), max(token_f1(gold, text) for gold in golds)


def score_answers(
    rows: Sequence[SpanRow], texts: Mapping[str, str]
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Mean exact match and F1, and both for each question, as `answer_scores` has them."""
    each: dict[str, tuple[float, float]] = {}
    for row in rows:
        each[row.id] = answer_scores([text for text, _ in row.answers], texts[row.id])
    count = max(len(rows), 1)
    means = {
        "exact_match": sum(pair[0] for pair in each.values()) / count,
        "f1": sum(pair[1] for pair in each.values()) / count,
    }
    return means, each


def split_scores(rows: Sequence[SpanRow], each: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The official script's `HasAns` and `NoAns` scores: those of the questions with an answer, and of the others.

    A part without questions has no scores. Of the questions without an answer exact match and F1 are the same.
    """
    with_answer = [each[row.id] for row in rows if _has_answer(row)]
    without = [each[row.id] for row in rows if not _has_answer(row)]
    scores = {}
    if with_answer:
        scores["answerable_exact_match"] = sum(pair[0] for pair in with_answer) / len(with_answer)
        scores["answerable_f1"] = sum(pair[1] for pair in with_answer) / len(with_answer)
    if without:
        scores["unanswerable_f1"] = sum(pair[1] for pair in without) / len(without)
    return scores


@dataclass(frozen=True, slots=True)
class Best:
    """The best mean score that a null threshold gives, and that threshold."""

    score: float
    threshold: float
    """A question is answered by its best span unless its `null_odds` are above it."""


def best_threshold(
    rows: Sequence[SpanRow],
    each: Mapping[str, tuple[float, float]],
    spans: Mapping[str, str],
    null_odds: Mapping[str, float],
    which: int,
) -> Best:
    """The best mean score over all null thresholds (official script, `find_best_thresh`).

    It starts from "no answer" to everything and answers one question more at a time, that of the lowest odds first.
    Questions of equal odds are counted one by one, as the script does: where some have the same odds, its score can be
    one that no threshold gives.

    `spans`: the best answers that are not empty; `each`: their scores; `which`: 0 exact match, 1 F1.
    """
    answerable = {row.id: _has_answer(row) for row in rows}
    total = float(sum(not has for has in answerable.values()))
    best, threshold = total, -NEVER
    for identifier in sorted(null_odds, key=lambda name: null_odds[name]):
        if answerable[identifier]:
            total += each[identifier][which]
        elif spans[identifier]:
            total -= 1.0
        if total > best:
            best, threshold = total, null_odds[identifier]
    return Best(best / max(len(rows), 1), threshold)


def _has_answer(row: SpanRow) -> bool:
    """Whether a gold answer stands there; the script asks for it before it normalises."""
    return bool(row.answers)
