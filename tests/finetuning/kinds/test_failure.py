"""Which runs count as failed: the cases of every kind of task, and what they are judged by."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.constant import SEED, BestConstant, above_constant, best_constant, why_failed
from finetuning.kinds.failure import failure_of
from finetuning.kinds.loading import kind_of, load_task, parse_task
from finetuning.kinds.metrics.resampling import resampled_scores
from finetuning.kinds.metrics.squad import NEVER
from finetuning.kinds.metrics.weighted import weighted_class_metric
from finetuning.kinds.multi_label import LabelsRow
from finetuning.kinds.rows import ChoiceRow, SpanRow, TextRow, TokenRow
from finetuning.tasks.task import Task

BELOW = "not above the best constant"
OWN = {"name": "own", "format": "jsonl", "splits": {"dev": "dev.jsonl"}, "columns": {"text_a": "a", "label": "b"}}


def own(**keys: Any) -> Task:
    return parse_task(OWN | {"kind": "classification", "labels": ["a", "b", "c"]} | keys, "own.toml")


def topics(metric: str) -> Task:
    columns = {"text_a": "text", "labels": "topics"}
    return own(kind="multi_label", metric=metric, columns=columns)


def texts(labels: Sequence[Any]) -> list[TextRow]:
    return [TextRow(str(place), "", "", None, label) for place, label in enumerate(labels)]


def choices(labels: Sequence[int]) -> list[ChoiceRow]:
    return [ChoiceRow(str(place), "", "", "", ("",) * 4, label) for place, label in enumerate(labels)]


def sentences(tags: Sequence[str]) -> list[TokenRow]:
    return [TokenRow(str(n), "", tuple("w" for _ in t.split()), tuple(t.split())) for n, t in enumerate(tags)]


def sets(labels: Sequence[str]) -> list[LabelsRow]:
    return [LabelsRow(str(place), "", "", None, tuple(names)) for place, names in enumerate(labels)]


def questions(answers: Sequence[str], context: str = "Ann sat in the red house near Paris in 1999 .") -> list[SpanRow]:
    golds = [((text, context.index(text)),) if text else () for text in answers]
    return [SpanRow(f"q{place}", "", "", context, gold) for place, gold in enumerate(golds)]


def answered(rows: Sequence[Any], given: Sequence[Any]) -> list[Prediction]:
    result = []
    for row, answer in zip(rows, given, strict=True):
        if isinstance(row, SpanRow):
            odds = -1.0 if answer else 1.0
            result.append(Prediction(row.id, [text for text, _ in row.answers], answer, None, odds, answer))
        else:
            label = next(getattr(row, name) for name in ("label", "labels", "tags") if hasattr(row, name))
            result.append(Prediction(row.id, list(label) if isinstance(label, tuple) else label, answer, None))
    return result


def times(**counts: int) -> list[str]:
    return [label for label, count in counts.items() for _ in range(count)]


QNLI_TRAIN = texts(times(entailment=51, not_entailment=49))
QNLI = texts(times(entailment=495, not_entailment=505))
MRPC = texts(times(**{"1": 279, "0": 129}))  # as GLUE's dev split: 408 rows
QQP = texts(times(**{"1": 368, "0": 632}))
COLA = texts(times(**{"1": 70, "0": 30}))
STSB = texts([0.0, 1.0, 2.5, 4.0, 5.0])
SWAG = choices([0] * 24 + [1] * 25 + [2] * 26 + [3] * 25)
NER = sentences(["O B-PER I-PER O", "B-LOC O", "O O O", "B-LOC I-LOC O"])
CHUNKS = sentences(["B-NP B-VP B-NP O", "B-NP I-NP B-VP B-NP", "B-NP", "B-VP B-NP"])
SQUAD1 = questions(["Ann", "red house", "Paris", "1999"])
SQUAD2 = questions(["Ann", "red house", "", ""])
TOPICS = sets(["a", "a", "ab", "ab", "c", ""])

CASES: dict[str, tuple[Task, list[Any], list[Any], list[Any], float | None, str | None]] = {
    # name: task, rows of training, rows of dev, answers, the best constant's score, why the run failed
    "QNLI, train's majority": (load_task("qnli"), QNLI_TRAIN, QNLI, ["entailment"] * 1000, 0.505, "constant"),
    "QNLI, dev's majority": (load_task("qnli"), QNLI_TRAIN, QNLI, ["not_entailment"] * 1000, 0.505, "constant"),
    "QNLI, between the two": (
        *(load_task("qnli"), QNLI_TRAIN, QNLI),
        *(times(not_entailment=997, entailment=3), 0.505, BELOW),
    ),
    "QNLI, as good as the best": (
        *(load_task("qnli"), QNLI_TRAIN, QNLI),
        *(["entailment", *["not_entailment"] * 998, "entailment"], 0.505, BELOW),
    ),
    "QNLI, one row above": (
        *(load_task("qnli"), QNLI_TRAIN, QNLI),
        *(times(entailment=1, not_entailment=999), 0.505, None),
    ),
    "MRPC, always 1": (load_task("mrpc"), MRPC, MRPC, ["1"] * 408, 2 * 279 / (408 + 279), "constant"),
    "MRPC, F1 0.81 of no use": (load_task("mrpc"), MRPC, MRPC, ["0", *["1"] * 407], 0.8122, BELOW),
    "MRPC, learnt": (load_task("mrpc"), MRPC, MRPC, times(**{"1": 300, "0": 108}), 0.8122, None),
    "QQP, always 1": (load_task("qqp"), QQP, QQP, ["1"] * 1000, 0.538, "constant"),
    "QQP, always 0, the majority": (load_task("qqp"), QQP, QQP, ["0"] * 1000, 0.538, "constant"),
    "QQP, F1 0.5 but never constant": (*(load_task("qqp"), QQP, QQP, times(**{"1": 125, "0": 875}), 0.538, BELOW),),
    "CoLA, always 1": (load_task("cola"), COLA, COLA, ["1"] * 100, 0.0, "constant"),
    "CoLA, against the labels": (load_task("cola"), COLA, COLA, times(**{"0": 1, "1": 99}), 0.0, BELOW),
    "CoLA, a little": (load_task("cola"), COLA, COLA, times(**{"1": 99, "0": 1}), 0.0, None),
    "macro F1, always a": (
        *(own(metric="macro_f1"), texts("aab"), texts("aabbbc"), ["b"] * 6, (2 * 3 / 9) / 3, "constant"),
    ),
    "STS-B, one number": (load_task("stsb"), STSB, STSB, [2.5] * 5, 0.0, "constant"),
    "STS-B, last bits": (load_task("stsb"), STSB, STSB, [2.5, 2.501, 2.502, 2.503, 2.504], 0.0, "constant"),
    "STS-B, backwards": (load_task("stsb"), STSB, STSB, [5.0, 4.0, 3.0, 2.0, 1.0], 0.0, BELOW),
    "STS-B, learnt": (load_task("stsb"), STSB, STSB, [1.0, 1.2, 2.0, 3.0, 4.0], 0.0, None),
    "SWAG, always 2": (load_task("swag"), SWAG, SWAG, [2] * 100, 0.26, "constant"),
    "SWAG, a quarter by chance": (load_task("swag"), SWAG, SWAG, [0] * 25 + [1] * 75, 0.26, None),
    "SWAG, less than the commonest": (load_task("swag"), SWAG, SWAG, [3] * 25 + [0] * 50 + [3] * 25, 0.26, BELOW),
    "NER, all O": (
        *(load_task("conll2003"), NER, NER, [["O"] * len(row.words) for row in NER]),
        *(2 * 1 / (3 + 12), "constant"),
    ),
    "NER, one wrong entity": (
        *(load_task("conll2003"), NER, NER, [["B-LOC"] + ["O"] * (len(row.words) - 1) for row in NER]),
        *(2 / 15, None),
    ),
    "chunks, every word a noun phrase": (
        *(load_task("conll2000"), CHUNKS, CHUNKS, [["B-NP"] * len(row.words) for row in CHUNKS]),
        *(2 * 5 / (9 + 11), "constant"),
    ),
    "chunks, a few": (
        *(load_task("conll2000"), CHUNKS, CHUNKS, [["B-VP"] + ["O"] * (len(row.words) - 1) for row in CHUNKS]),
        *(0.5, BELOW),
    ),
    "SQuAD 1.1, no answer": (load_task("squad1"), SQUAD1, SQUAD1, [""] * 4, 0.25, "constant"),
    "SQuAD 1.1, the first words": (
        *(load_task("squad1"), SQUAD1, SQUAD1, ["Ann", "Ann sat", "Ann", "Ann sat in the"], None, "constant"),
    ),
    "SQuAD 1.1, one text": (
        load_task("squad1"),
        SQUAD1,
        SQUAD1,
        ["the Paris", *["Paris"] * 3],
        None,
        "constant",
    ),
    "SQuAD 1.1, wrong places": (load_task("squad1"), SQUAD1, SQUAD1, ["sat", "Paris", "red", "near"], None, BELOW),
    "SQuAD 1.1, learnt": (load_task("squad1"), SQUAD1, SQUAD1, ["Ann", "house", "Paris", "1999"], None, None),
    "SQuAD 2.0, no answer": (load_task("squad2"), SQUAD2, SQUAD2, [""] * 4, 0.5, "constant"),
    "SQuAD 2.0, no better than none": (load_task("squad2"), SQUAD2, SQUAD2, ["sat", "", "", ""], 0.5, BELOW),
    "SQuAD 2.0, learnt": (load_task("squad2"), SQUAD2, SQUAD2, ["Ann", "", "", ""], 0.5, None),
    "several labels, one set": (topics("micro_f1"), TOPICS, TOPICS, [["a"]] * 6, 2 * 6 / (7 + 12), "constant"),
    "several labels, the commonest set": (
        *(topics("subset_accuracy"), TOPICS, TOPICS, [["a"], ["a"], ["c"], ["c"], ["c", "b"], []], 2 / 6, None),
    ),
    "several labels, none right": (
        *(topics("subset_accuracy"), TOPICS, TOPICS, [["c"], ["a"], ["c"], ["c"], ["a"], []], 2 / 6, BELOW),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_fails_for_its_reason(name: str) -> None:
    task, train, dev, given, expected, why = CASES[name]
    answers = answered(dev, given)
    best = best_constant(task, train, dev)
    score = kind_of(task).score(task, dev, answers)[task.metric]
    assert why_failed(task, dev, answers, score, best) == why
    assert best.score >= best.majority_score
    assert kind_of(task).score(task, dev, list(best.answers))[task.metric] == best.score
    assert kind_of(task).is_constant(task, dev, best.answers)
    if expected is not None:
        assert best.score == pytest.approx(expected, abs=1e-4)


def test_the_majority_of_training_may_be_another_answer() -> None:
    best = best_constant(load_task("qnli"), QNLI_TRAIN, QNLI)
    assert (best.majority_score, best.score) == (0.495, 0.505)
    assert best.answers[0].prediction == "not_entailment"


@pytest.mark.parametrize("metric", ["accuracy", "f1", "macro_f1", "matthews_correlation"])
@pytest.mark.parametrize("seed", range(4))
def test_no_class_beats_the_best_constant(metric: str, seed: int) -> None:
    draw = random.Random(seed)
    task = own(metric=metric, positive_label="b")
    rows = texts(draw.choices("abc", [draw.random() for _ in range(3)], k=20))
    kind = kind_of(task)
    every = [kind.score(task, rows, answered(rows, [label] * 20))[metric] for label in "abc"]
    assert best_constant(task, rows, rows).score == pytest.approx(max(every))


@pytest.mark.parametrize("metric", ["entity_f1", "entity_precision", "entity_recall", "accuracy"])
@pytest.mark.parametrize("seed", range(4))
def test_no_tag_beats_the_best_constant(metric: str, seed: int) -> None:
    draw = random.Random(seed)
    task = load_task("conll2003").model_copy(update={"metric": metric, "metrics": ()})
    known = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    rows = sentences([" ".join(draw.choices(known, k=draw.randint(1, 4))) for _ in range(12)])
    kind = kind_of(task)
    every = [kind.score(task, rows, answered(rows, [[tag] * len(r.words) for r in rows]))[metric] for tag in known]
    assert best_constant(task, rows, rows).score == pytest.approx(max(every))


def test_a_run_that_diverged_says_so_first() -> None:
    task = load_task("cola")
    answers = answered(COLA, ["1"] * 100)
    best = best_constant(task, COLA, COLA)
    assert why_failed(task, COLA, answers, 0.0, best, diverged=True) == "diverged"
    assert why_failed(task, COLA, answered(COLA, times(**{"1": 99, "0": 1})), float("nan"), best) == BELOW


def test_a_single_row_is_no_constant_answer() -> None:
    task, rows = load_task("cola"), texts(["1"])
    above = BestConstant(0.0, 0.0, tuple(answered(rows, ["0"])))
    assert why_failed(task, rows, answered(rows, ["1"]), 0.5, above) is None


def test_two_rows_with_one_answer_are_constant() -> None:
    task, rows = load_task("cola"), texts(["1", "0"])
    above = BestConstant(0.0, 0.0, tuple(answered(rows, ["0", "0"])))
    assert why_failed(task, rows, answered(rows, ["1", "1"]), 0.5, above) == "constant"


def test_the_interval_is_that_of_a_thousand_draws_of_the_same_rows() -> None:
    task, best = load_task("mrpc"), best_constant(load_task("mrpc"), MRPC, MRPC)
    gold, given = [row.label for row in MRPC], times(**{"1": 300, "0": 108})
    scorers = [weighted_class_metric("f1", gold, labels, "1") for labels in (given, ["1"] * 408)]
    scores_b2 = resampled_scores(scorers, 408, 1000, SEED)
    low, high = np.quantile(scores_b2[:, 0] - scores_b2[:, 1], [0.025, 0.975])
    assert above_constant(task, answered(MRPC, given), best) == (low, high)


def test_few_rows_do_not_tell_a_run_from_a_constant_answer() -> None:
    """One row in a thousand above it, against every second one."""
    task, best = load_task("qnli"), best_constant(load_task("qnli"), QNLI_TRAIN, QNLI)
    near, far = (answered(QNLI, times(entailment=count, not_entailment=1000 - count)) for count in (1, 250))
    low, high = above_constant(task, near, best) or (1.0, 0.0)
    assert low <= 0.0 < high < 0.006  # of the one row in which they differ: the others are the same in both
    low, high = above_constant(task, far, best) or (0.0, 0.0)
    # a binomial share of 250 of 1000: its standard error is 0.0137
    assert (low, high) == pytest.approx((0.25 - 1.96 * 0.0137, 0.25 + 1.96 * 0.0137), abs=0.004)


def test_every_kind_can_be_told_from_its_constant_answer() -> None:
    for task, train, dev, given, _, _ in CASES.values():
        interval = above_constant(task, answered(dev, given), best_constant(task, train, dev))
        assert interval is not None
        assert interval[0] <= interval[1]


def test_constant_spans_have_odds_that_fit() -> None:
    """For the best threshold, which would else make none of the first words."""
    for answers in kind_of(load_task("squad2")).constants(load_task("squad2"), SQUAD2):
        assert {item.null_odds for item in answers} == {-NEVER if answers[0].prediction else NEVER}


@pytest.mark.parametrize("diverged", [False, True])
@pytest.mark.parametrize("is_constant", [False, True])
@pytest.mark.parametrize("score", [0.4, 0.5, 0.6, float("nan")])
def test_the_rule_in_one_table(score: float, is_constant: bool, diverged: bool) -> None:
    expected = "diverged" if diverged else "constant" if is_constant else None if score == 0.6 else BELOW
    assert failure_of(score, 0.5, is_constant=is_constant, diverged=diverged) == expected
