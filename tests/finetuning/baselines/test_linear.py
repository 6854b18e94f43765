"""A problem that words solve is solved, one of shuffled labels is not; the strength is chosen on other rows."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from finetuning.baselines.endings import Endings
from finetuning.baselines.texts import ClassOfTexts, LabelsOfTexts, NumberOfTexts
from finetuning.baselines.windows import Windows
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.multi_label import LabelsRow
from finetuning.kinds.rows import ChoiceRow, Row, TextRow, TokenRow

DRAW = random.Random(5)
FILLER = [f"w{number}" for number in range(30)]


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    DRAW.seed(5)


def sentence(*words: str) -> str:
    said = [*DRAW.choices(FILLER, k=6), *words]
    DRAW.shuffle(said)
    return " ".join(said)


def polar(count: int, labels: Sequence[str] = ("0", "1")) -> list[TextRow]:
    rows = [(str(n), labels[n % 2], sentence(("bad", "good")[n % 2])) for n in range(count)]
    return [TextRow(name, "", text, None, label) for name, label, text in rows]


def accuracy(answers: Sequence[Prediction]) -> float:
    return float(np.mean([answer.prediction == answer.label for answer in answers]))


def test_a_word_that_decides_is_found() -> None:
    learner, task = ClassOfTexts(), load_task("sst2")
    learnt = learner.learn(task, polar(120), ("0", "1"), 1)
    answers = learner.answers(polar(60))
    assert accuracy(answers) == 1.0
    assert [answer.scores[answer.prediction] > 0.5 for answer in answers] == [True] * 60
    assert learnt.parameters > 30
    assert learnt.train_loss < 0.6  # of a coin: 0.69
    (note,) = learnt.notes
    assert "is best on 12 held-out training rows (accuracy 1.0000)" in note


def test_shuffled_labels_teach_nothing() -> None:
    labels = ["0", "1"] * 300
    DRAW.shuffle(labels)
    rows = [TextRow(row.id, "", row.text_a, None, label) for row, label in zip(polar(len(labels)), labels, strict=True)]
    learner = ClassOfTexts()
    learner.learn(load_task("sst2"), rows[:300], ("0", "1"), 1)
    assert 0.38 < accuracy(learner.answers(rows[300:])) < 0.62  # four standard deviations


def test_the_strength_is_the_best_on_the_held_out_rows_and_of_equal_ones_the_strongest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = iter([0.2, 0.9, 0.4, 0.9, 0.1, 0.0, 0.3])
    task, learner = load_task("sst2"), ClassOfTexts()
    seen: list[Sequence[Row]] = []

    def score(_: object, rows: Sequence[Row], answers: Sequence[Prediction]) -> dict[str, float]:
        seen.append(rows)
        assert [answer.id for answer in answers] == [row.id for row in rows]
        return {"accuracy": next(scores)}

    monkeypatch.setattr(kind_of(task), "score", score)
    learnt = learner.learn(task, polar(100), ("0", "1"), 1)
    assert "λ 30 is best on 10 held-out training rows (accuracy 0.9000)" in learnt.notes[0]
    assert len(seen) == 7


def test_too_few_rows_leave_the_usual_strength() -> None:
    (note,) = ClassOfTexts().learn(load_task("sst2"), polar(10), ("0", "1"), 1).notes
    assert note == "too few training rows to choose λ on some of them: it is 1"


def test_pairs_are_told_by_what_they_share() -> None:
    rows = []
    for n in range(160):
        text = sentence()
        other = " ".join(reversed(text.split())) if n % 2 else sentence()
        rows.append(TextRow(str(n), "", text, other, ("not_entailment", "entailment")[n % 2]))
    learner = ClassOfTexts()
    learner.learn(load_task("rte"), rows[:120], ("entailment", "not_entailment"), 1)
    assert accuracy(learner.answers(rows[120:])) > 0.9


def test_labels_and_numbers() -> None:
    labels = [("joy",), ("love",), (), ("joy", "love")]
    kinds = [
        LabelsRow(str(n), "", sentence(*labels[n % 4]), None, tuple(label for label in labels[n % 4]))
        for n in range(160)
    ]
    task = load_task("goemotions")
    of_labels = LabelsOfTexts()
    of_labels.learn(task, kinds[:120], task.labels, 1)
    assert accuracy([*of_labels.answers(kinds[120:])]) > 0.9
    numbers = [TextRow(str(n), "", sentence(*["up"][: n % 2]), "x", 1.0 + 3 * (n % 2)) for n in range(160)]
    of_number = NumberOfTexts()
    of_number.learn(load_task("stsb"), numbers[:120], (), 1)
    answers = of_number.answers(numbers[120:])
    low, high = ([item.prediction for item in answers if item.label == label] for label in (1.0, 4.0))
    assert max(low) < min(high)


def test_an_ending_is_told_from_the_others_of_its_row() -> None:
    stories = []
    for n in range(120):
        words = [sentence("door") if place == n % 4 else sentence() for place in range(4)]
        stories.append(ChoiceRow(str(n), "", "He opens it.", "He", tuple(words), n % 4))
    endings = Endings()
    endings.learn(load_task("swag"), stories[:80], (), 1)
    answers = endings.answers(stories[80:])
    assert accuracy(answers) == 1.0
    assert [sum(answer.scores) for answer in answers] == pytest.approx([1.0] * 40, abs=1e-5)


def test_a_word_is_told_by_its_neighbours() -> None:
    """The same word is a name after one word and none after another."""
    sentences = [
        TokenRow(str(n), "", (("Mr", "in")[n % 2], "May", f"w{n % 7}"), ("O", ("B-PER", "O")[n % 2], "O"))
        for n in range(100)
    ]
    windows = Windows()
    windows.learn(load_task("conll2003"), sentences, ("O", "B-PER"), 1)
    new = [("Mr", "May", "w3"), ("in", "May", "w3"), ()]
    answers = windows.answers([TokenRow("", "", words, None) for words in new])
    assert [answer.prediction for answer in answers] == [["O", "B-PER", "O"], ["O", "O", "O"], []]
    assert [len(answer.scores) for answer in answers] == [3, 3, 0]
    assert [answer.label for answer in answers] == [None] * 3
