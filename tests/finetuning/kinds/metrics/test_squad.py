"""SQuAD's normalisation, scores and null threshold, against plain implementations."""

import random
import re
import string
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, answers_at
from finetuning.kinds.loading import kind_of, load_task
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
        found = squad.best_threshold(rows, each, spans, odds, which)
        best, threshold = found.score, found.threshold
        tried = [
            squad.score_answers(rows, {row.id: "" if odds[row.id] > limit else spans[row.id] for row in rows})[0][name]
            for limit in [-squad.NEVER, *odds.values()]
        ]
        assert best == pytest.approx(max(tried))
        at, _ = squad.score_answers(rows, answers_at(threshold, spans, odds))
        assert at[name] == pytest.approx(best)


def official_threshold(
    rows: list[SpanRow], scores: dict[str, float], texts: dict[str, str], odds: dict[str, float]
) -> tuple[float, float | None]:
    """`find_best_thresh` in other words: walk from the surest question to the least sure, and keep the best moment."""
    path = [(sum(not row.answers for row in rows) / len(rows), None)]
    gained = 0.0
    for row in sorted(rows, key=lambda row: odds[row.id]):
        gained += (scores[row.id] if row.answers else -bool(texts[row.id])) / len(rows)
        path.append((path[0][0] + gained, odds[row.id]))
    return max(path, key=lambda moment: round(moment[0], 9))  # the first of equal ones


@pytest.mark.parametrize("seed", range(10))
def test_best_threshold_equals_the_script_where_odds_are_equal(seed: int) -> None:
    draw = random.Random(seed)
    rows = questions({str(n): ["gold"] if draw.random() < 0.5 else [] for n in range(30)})
    spans = {row.id: draw.choice(["gold", "other", "gold rush", ""]) for row in rows}
    odds = {row.id: float(draw.randrange(-3, 4)) for row in rows}
    _, each = squad.score_answers(rows, spans)
    for which in range(2):
        found = squad.best_threshold(rows, each, spans, odds, which)
        score, threshold = official_threshold(rows, {name: pair[which] for name, pair in each.items()}, spans, odds)
        assert found.score == pytest.approx(score)
        assert found.threshold == (-squad.NEVER if threshold is None else threshold)


def test_squad2_scores_by_hand() -> None:
    """Four questions, of which two have an answer; each line of the comment is one way to set the threshold."""
    task, rows = load_task("squad2"), questions({"a": ["red cat"], "b": ["dog"], "c": [], "d": []})
    spans, odds = {"a": "red cat", "b": "big dog", "c": "x", "d": "y"}, {"a": 0.5, "b": 1.5, "c": 1.0, "d": 3.0}
    answers = [Prediction(row.id, [], "", {}, odds[row.id], spans[row.id]) for row in rows]
    scores = kind_of(task).score(task, rows, answers)
    # none: 2; a: 3; a, c: 2; a, c, b: 2 + 2/3 (exact 2); all: 1 + 2/3
    assert scores == {
        **{"f1": 0.5, "exact_match": 0.5, "best_f1": 0.75, "best_exact_match": 0.75},
        **{"best_f1_threshold": 0.5, "best_exact_match_threshold": 0.5, "exact_match_at_best_f1": 0.75},
        **{"answerable_exact_match": 0.0, "answerable_f1": 0.0, "unanswerable_f1": 1.0},
    }


def test_exact_match_at_the_threshold_that_is_best_for_f1() -> None:
    """F1 wants everything answered, exact match nothing: the paper reports both at the threshold for F1."""
    task, rows = load_task("squad2"), questions({"a": ["big red dog"], "b": ["big red cat"], "c": []})
    spans, odds = {"a": "red dog", "b": "red cat", "c": "x"}, {"a": 1.0, "b": 2.0, "c": 0.0}
    answers = [Prediction(row.id, [], spans[row.id], {}, odds[row.id], spans[row.id]) for row in rows]
    scores = kind_of(task).score(task, rows, answers)
    assert (scores["best_f1_threshold"], scores["best_f1"]) == (2.0, pytest.approx(1.6 / 3))
    assert (scores["best_exact_match_threshold"], scores["best_exact_match"]) == (-squad.NEVER, pytest.approx(1 / 3))
    assert scores["exact_match_at_best_f1"] == 0.0


def test_no_answer_to_everything_scores_the_share_of_such_questions() -> None:
    task, rows = load_task("squad2"), questions({"a": ["red cat"], "c": [], "d": []})
    kind = kind_of(task)
    scores = kind.score(task, rows, kind.constant(task, rows, rows))
    assert scores["f1"] == scores["best_f1"] == scores["exact_match_at_best_f1"] == pytest.approx(2 / 3)
    assert scores["best_f1_threshold"] == -squad.NEVER
    assert (scores["answerable_f1"], scores["unanswerable_f1"]) == (0.0, 1.0)


def test_the_best_threshold_is_for_tasks_with_unanswerable_questions(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'kind = "span"\nformat = "jsonl"\nmetric = "best_f1"\nsplits = { train = "a.jsonl", dev = "b.jsonl" }\n'
    )
    with pytest.raises(FinetuningError, match="needs unanswerable = true"):
        load_task(path)


def test_the_real_file_scores_itself_perfectly(shared_data: Path) -> None:
    from finetuning.kinds.loading import read_split

    split = read_split(load_task("squad1"), "dev", shared_data)
    assert split is not None
    rows = [row for row in split.rows if isinstance(row, SpanRow)]
    means, _ = squad.score_answers(rows, {row.id: row.answers[0][0] for row in rows})
    assert means == {"exact_match": 1.0, "f1": 1.0}


def test_every_punctuation_mark_goes_and_only_whole_articles() -> None:
    assert squad.normalise_answer(string.punctuation) == ""
    assert squad.normalise_answer("A theatre, an ant: the panther's a") == "theatre ant panthers"
    assert squad.exact_match("a", "the") == 1.0
    assert squad.exact_match("cat", "cats") == 0.0


def test_gold_answers_without_words_are_left_out_and_no_rows_score_nothing() -> None:
    rows = questions({"1": ["the", "cat"], "2": ["a"]})
    means, each = squad.score_answers(rows, {"1": "", "2": ""})
    assert each == {"1": (0.0, 0.0), "2": (1.0, 1.0)}
    assert means == {"exact_match": 0.5, "f1": 0.5}
    assert squad.score_answers(rows[1:], {"2": ""})[0] == {"exact_match": 1.0, "f1": 1.0}
    assert squad.score_answers([], {}) == ({"exact_match": 0.0, "f1": 0.0}, {})


def test_an_answer_of_articles_shares_no_word_with_another() -> None:
    assert squad.token_f1("the", "cat") == squad.token_f1("cat", "the") == squad.token_f1("cat", "dog") == 0.0
    assert squad.token_f1("the", "an") == 1.0
    assert squad.token_f1("cat cat dog", "cat") == pytest.approx(0.5)


def test_thresholds_where_nothing_is_to_be_gained_or_known() -> None:
    rows = questions({"1": [], "2": []})
    spans, odds = {"1": "x", "2": ""}, {"1": 0.5, "2": 0.25}
    assert squad.best_threshold(rows, {}, spans, odds, 0) == squad.Best(1.0, -squad.NEVER)
    assert squad.best_threshold([], {}, {}, {}, 0) == squad.Best(0.0, -squad.NEVER)
    assert squad.best_threshold(questions({"1": []}), {}, {"1": "x"}, {"1": 0.5}, 0) == squad.Best(1.0, -squad.NEVER)
    rows = questions({"1": ["x"], "2": ["y"], "3": []})
    each = {"1": (1.0, 1.0), "2": (1.0, 1.0), "3": (0.0, 0.0)}
    # At 0.25 the first question is answered; the third, unanswerable one from 0.5 on; at 0.75 all are.
    odds = {"1": 0.25, "2": 0.75, "3": 0.5}
    assert squad.best_threshold(rows, each, {"1": "x", "2": "y", "3": "z"}, odds, 0) == squad.Best(2 / 3, 0.25)
    # A span that is empty costs nothing where there is no answer.
    assert squad.best_threshold(rows, each, {"1": "x", "2": "y", "3": ""}, odds, 0) == squad.Best(1.0, 0.75)
    assert squad.NEVER == 1e9
