"""A part of a paragraph by overlap alone: the sentence with most of the question, in it the rare words nearest to it.

After the sliding-window baseline of SQuAD (Rajpurkar et al. 2016, section 5; Richardson et al. 2013, "MCTest",
algorithm 1 and its distances), whose weights these are. It takes its candidates from a parser's constituents; here they
are the runs of words between marks, the question's words and the commonest words of training, so no parser is needed,
and no list of a language's small words.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from finetuning.baselines.features import WORD
from finetuning.baselines.learner import Learnt
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.rows import SpanRow
from finetuning.tasks.task import Task

COMMON_WORDS = 100
"""Of training, that no answer begins, ends or has inside."""
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    """In lower case."""
    first: int
    last: int
    """Characters of the paragraph, the last one excluded."""


class Overlap:
    """Nothing is learnt but which words are common."""

    description: ClassVar[str] = "the sentence that shares most with the question, in it the rare words nearest to it"

    def __init__(self) -> None:
        self._common: frozenset[str] = frozenset()

    def learn(self, task: Task, rows: Sequence[SpanRow], labels: Sequence[str], seed: int) -> Learnt:
        """Count the words of the training paragraphs; the seed draws nothing."""
        began = time.perf_counter()
        contexts = dict.fromkeys(row.context for row in rows)
        counts = Counter(match[0] for context in contexts for match in WORD.finditer(context.lower()))
        words = sorted((word for word in counts if word.isalpha()), key=lambda word: (-counts[word], word))
        self._common = frozenset(words[:COMMON_WORDS])
        return Learnt(0, 0.0, time.perf_counter() - began, ("nothing is drawn: every seed has these answers",))

    def answers(self, rows: Sequence[SpanRow]) -> list[Prediction]:
        """`null_odds` is minus the share of the question, by weight, that the sentence has: never above 0."""
        found = []
        for row in rows:
            text, share = self.answer(row.question, row.context)
            right = [answer for answer, _ in row.answers]
            found.append(Prediction(row.id, right, text, {text: round(share, 6)}, round(-share, 6), text))
        return found

    def answer(self, question: str, context: str) -> tuple[str, float]:
        """A part of the paragraph, and the share of the question's weight that its sentence has. Where no sentence has
        a candidate, the first word."""
        sentences = _sentences(context)
        counts = Counter(word.text for sentence in sentences for word in sentence)
        # A word's weight is log(1 + 1 / its count): a word that the paragraph repeats says less about the place.
        asked = {word: math.log(1 + 1 / max(1, counts[word])) for word in WORD.findall(question.lower())}
        asked = {word: weight for word, weight in asked.items() if word.isalnum()}
        shares = [sum(asked.get(word, 0.0) for word in {word.text for word in sentence}) for sentence in sentences]
        for place in sorted(range(len(sentences)), key=lambda place: -shares[place]):
            if run := self._nearest(sentences[place], asked):
                return context[run[0].first : run[-1].last], shares[place] / max(sum(asked.values()), 1e-12)
        return (context.split() or [""])[0], 0.0

    def _nearest(self, sentence: Sequence[_Word], asked: dict[str, float]) -> Sequence[_Word]:
        """The run of candidate words with the question's words nearest, by weight over distance; the first of equal
        ones; none where all words are common, marks or the question's."""
        kept = [word.text.isalnum() and word.text not in asked and word.text not in self._common for word in sentence]
        runs, low = [], 0
        for place in range(len(sentence) + 1):
            if place == len(sentence) or not kept[place]:
                if place > low:
                    runs.append((low, place))
                low = place + 1
        places = [(place, asked[word.text]) for place, word in enumerate(sentence) if word.text in asked]

        def nearness(run: tuple[int, int]) -> float:
            return sum(weight / (run[0] - at if at < run[0] else at - run[1] + 1) for at, weight in places)

        first, last = max(runs, key=nearness, default=(0, 0))
        return sentence[first:last]


def _sentences(context: str) -> list[list[_Word]]:
    """The words of each sentence; sentences end at full stops, question and exclamation marks before a blank."""
    # Not `context.lower()`: some letters become two, and places would shift.
    ends = [*(match.start() for match in _SENTENCE_ENDS.finditer(context)), len(context)]
    found, low = [], 0
    for end in ends:
        words = [_Word(match[0].lower(), match.start(), match.end()) for match in WORD.finditer(context, low, end)]
        found.append(words)
        low = end
    return [words for words in found if words]
