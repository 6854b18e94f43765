"""SQuAD's normalisation, scores and null threshold, against plain implementations."""

import random
import re
import string
from pathlib import Path

import pytest

from finetuning.kinds.loading import load_task
from finetuning.kinds.metrics import squad
from finetuning.kinds.rows import SpanRow

PARTS = [
    "The",
    "a",
    "an",
    "cat",
    "U.S.",
    "don't",
    "--",
    "  ",
    "5%",
    "the-end",
    "Anna",
    "theory",
    "\u201cso\u201d",
    "\n",
]


def own_normalise(text: str) -> list[str]:
    """Word by word: punctuation deleted first, so that `the-end` becomes `theend` and stays."""
    words = re.split(r"\s+", "".join(c for c in text.lower() if c not in set(string.punctuation)).strip())
    return [part for word in words for part in re.sub(r"(?<!\w)(the|an|a)(?!\w)", " ", word).split()]


@pytest.mark.parametrize("seed", range(30))
def test_normalisation_and_f1(seed: int) -> None:
    draw = random.Random(seed)
    gold, predicted = (" ".join(draw.choices(PARTS, k=draw.randrange(0, 6))) for _ in range(2))
    first, second = own_normalise(gold), own_normalise(predicted)
    assert squad.normalise_answer(gold) == " ".join(first)
    assert squad.exact_match(gold, predicted) == float(first == second)
    if not first or not second:
        expected = float(first == second)
    else:
        left = list(second)
        common = 0
        for word in first:
            if word in left:
                left.remove(word)
                common += 1
        expected = 2 * common / (len(first) + len(second))
    assert squad.token_f1(gold, predicted) == pytest.approx(expected)


def test_known_cases() -> None:
    assert squad.normalise_answer("The U.S.  Army, an army") == "us army army"
    assert squad.exact_match("the cat", "Cat!") == 1.0
    assert squad.token_f1("a big dog", "big cat") == pytest.approx(0.5)


def questions(answers: dict[str, list[str]]) -> list[SpanRow]:
    return [SpanRow(name, "", "?", "c", tuple((text, 0) for text in texts)) for name, texts in answers.items()]


def test_scores_take_the_best_gold_answer() -> None:
    rows = questions({"1": ["red cat", "cat"], "2": [], "3": ["dog"]})
    means, each = squad.score_answers(rows, {"1": "the cat", "2": "", "3": "a big dog"})
    assert each == {"1": (1.0, 1.0), "2": (1.0, 1.0), "3": (0.0, pytest.approx(2 / 3))}
    assert means == {"exact_match": pytest.approx(2 / 3), "f1": pytest.approx((2 + 2 / 3) / 3)}


@pytest.mark.parametrize("seed", range(10))
def test_best_threshold_equals_trying_all(seed: int) -> None:
    draw = random.Random(seed)
    rows = questions({str(n): ["gold"] if draw.random() < 0.5 else [] for n in range(20)})
    spans = {row.id: draw.choice(["gold", "other", "gold rush"]) for row in rows}
    odds = {row.id: draw.uniform(-5, 5) for row in rows}
    for which, name in enumerate(("exact_match", "f1")):
        _, each = squad.score_answers(rows, spans)
        best, threshold = squad.best_threshold(rows, each, spans, odds, which)
        tried = [
            squad.score_answers(rows, {row.id: "" if odds[row.id] > limit else spans[row.id] for row in rows})[0][name]
            for limit in [-squad.NEVER, *odds.values()]
        ]
        assert best == pytest.approx(max(tried))
        at = squad.score_answers(rows, {row.id: "" if odds[row.id] > threshold else spans[row.id] for row in rows})[0]
        assert at[name] == pytest.approx(best)


def test_the_real_file_scores_itself_perfectly(shared_data: Path) -> None:
    from finetuning.kinds.loading import read_split

    split = read_split(load_task("squad1"), "dev", shared_data)
    assert split is not None
    rows = [row for row in split.rows if isinstance(row, SpanRow)]
    means, _ = squad.score_answers(rows, {row.id: row.answers[0][0] for row in rows})
    assert means == {"exact_match": 1.0, "f1": 1.0}
