"""Spans of paragraphs: what answers a file may give, where they stand, losses, scores and errors."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import parse_task
from finetuning.kinds.metrics.squad import NEVER
from finetuning.kinds.rows import SpanRow
from finetuning.kinds.span import KIND, segment_logsumexp
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer

CONTEXT = "Ann sat in Paris in 1999."
ROLES = ("id", "question", "context", "answers")
COLUMNS: dict[str, Any] = {role: role for role in ROLES}


def own(**keys: Any) -> Task:
    table = {"name": "own", "kind": "span", "format": "jsonl", "metric": "f1", "splits": {"dev": "d.jsonl"}}
    return parse_task(table | keys, "own.toml")


TABLE = own(format="csv", columns=COLUMNS, splits={"dev": "d.csv"})
NULL = own(unanswerable=True)


def row_of(
    answers: Any, task: Task | None = None, labelled: bool = True, columns: Any = COLUMNS, **more: Any
) -> SpanRow:
    values = {"id": "q1", "question": "where?", "context": CONTEXT, "answers": answers} | more
    return KIND.row(task or own(), Record("f, line 3", values, columns, 7), labelled)


def texts_of(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"text": text, "answer_start": start} for text, start in pairs]


def test_what_it_is_to_files_and_to_transformers() -> None:
    assert (KIND.name, KIND.architecture, KIND.head) == ("span", "BertForQuestionAnswering", "qa_outputs")
    assert (KIND.uses_pooler, KIND.unique_ids, KIND.has_words) == (False, True, False)
    assert KIND.metrics == ("f1", "exact_match", "best_exact_match", "best_f1")
    assert KIND.formats == ("jsonl", "parquet", "squad", "csv", "tsv")
    assert (KIND.required, KIND.optional, KIND.default_columns) == (set(), set(ROLES), COLUMNS)
    assert (KIND.new_roles, KIND.outputs(9)) == (("question", "context"), 2)
    assert KIND.read_of(row_of(texts_of(("Ann", 0)))) == ("where?", CONTEXT)


def test_a_best_threshold_needs_questions_without_an_answer() -> None:
    for keys in ({"metric": "best_f1"}, {"metrics": ["exact_match", "best_exact_match"]}):
        with pytest.raises(
            FinetuningError, match=r"metric 'best_.*' looks for the best null threshold; it needs unans"
        ):
            own(**keys)
        assert own(**keys, unanswerable=True).unanswerable
    assert KIND.remarks(own(), ()) == ()
    (remark,) = KIND.remarks(NULL, ())
    assert remark.startswith("best_f1 and best_exact_match are of null thresholds")


@pytest.mark.parametrize(
    "answers",
    [
        texts_of(("Paris", 11), ("Ann", 0), ("1999.", 20)),
        {"text": ["Paris", "Ann", "1999."], "answer_start": [11, 0, 20]},  # as the hub has them
        # A character or two beside their place, or as a number with a point.
        texts_of(("Paris", 9), ("Ann", 2.0), ("1999.", 21)),
        texts_of(("Paris", 13), ("Ann", 1), ("1999.", 18)),
    ],
)
def test_answers_stand_where_they_are(answers: Any) -> None:
    expected = SpanRow("q1", "f, line 3: question q1", "where?", CONTEXT, (("Paris", 11), ("Ann", 0), ("1999.", 20)))
    assert row_of(answers) == expected
    assert row_of("what stands here is not read", labelled=False).answers == ()
    assert row_of([], NULL).answers == ()


def test_the_nearest_place_is_taken() -> None:
    context = "a aa a"
    for start, place in ((0, 0), (1, 0), (2, 2), (3, 3), (4, 3), (5, 5)):
        assert row_of(texts_of(("a", start)), context=context).answers == (("a", place),)
    # None before the first character, which would count from the end.
    assert row_of(texts_of(("a", 0)), context="ba").answers == (("a", 1),)


@pytest.mark.parametrize(
    "answers", [None, 3, "Paris", ["Paris"], [{"text": "Paris"}], texts_of((3, 0)), {"text": ["Paris"]},
    {"text": ["Paris", "Ann"], "answer_start": [11]},
    *(texts_of(("Paris", start)) for start in ("11", 11.5, True, None, math.nan, math.inf))],
)  # fmt: skip
def test_answers_that_are_not_understood(answers: Any) -> None:
    with pytest.raises(FinetuningError, match=r"^f, line 3: answers are not understood; write \[\{"):
        row_of(answers)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([], "it has no answer, and to own every question has one;"),
        (texts_of(("Ann", 0), ("", 3)), "the answer '' at character 3 is empty or outside the context of 25"),
        (texts_of((" ", 3)), "the answer ' ' at character 3 is empty or outside"),
        (texts_of(("Ann", -5)), "the answer 'Ann' at character -5 is empty or outside"),
        (texts_of(("9.", 26)), "the answer '9.' at character 26 is empty or outside"),
        (texts_of(("Rome", 11)), "the answer 'Rome' does not stand at character 11 of the context, where 'Pari' is;"),
        (texts_of(("Paris", 14)), "the answer 'Paris' does not stand at character 14 of the context, where 'is in'"),
        (texts_of(("Paris", 8)), "the answer 'Paris' does not stand at character 8"),
        (texts_of(("1998.", 20)), "the answer '1998.' does not stand at character 20"),
    ],
)
def test_answers_that_are_not_there(answers: Any, says: str) -> None:
    with pytest.raises(FinetuningError) as raised:
        row_of(answers)
    assert str(raised.value).startswith(f"f, line 3: question q1: {says}")


def test_a_table_s_answer_has_its_place_or_the_first() -> None:
    several = COLUMNS | {"answers": ("answers", "start")}
    assert row_of("in", TABLE).answers == (("in", 8),)
    assert row_of("Ann", TABLE).answers == (("Ann", 0),)
    unnamed = {role: role for role in ("id", "question", "context")}
    assert row_of("Ann", TABLE, columns=unnamed).answers == (("Ann", 0),)
    with pytest.raises(FinetuningError, match=r"column 'start' \(answers\) is missing"):
        row_of("Ann", TABLE, columns=several)
    assert row_of("in", TABLE, columns=several, start="17").answers == (("in", 17),)
    assert row_of("", TABLE.model_copy(update={"unanswerable": True}), columns=several, start="").answers == ()
    with pytest.raises(FinetuningError, match=r"^f, line 3: the answer 'Rome' does not stand in the context; correct"):
        row_of("Rome", TABLE)
    for start in ("", "-1", "7.0", "x", "1" * 10):
        with pytest.raises(FinetuningError, match=rf"the answer begins at '{start}', which is no whole number"):
            row_of("in", TABLE, columns=several, start=start)
    with pytest.raises(FinetuningError, match="at character 123456789 is empty or outside the context"):
        row_of("in", TABLE, columns=several, start="123456789")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_the_mean_of_both_ends(dtype: torch.dtype) -> None:
    """Of two sequences, of three pieces and of two."""
    draw = np.random.default_rng(3)
    logits = torch.from_numpy(draw.normal(size=(5, 2)).astype(np.float32)).to(dtype)
    packed = SimpleNamespace(cu_seqlens=torch.tensor([0, 3, 5], dtype=torch.int32))
    labels = torch.tensor([[0, 2], [1, 0]])
    loss = KIND.loss_sum(logits, SimpleNamespace(packed=packed, labels=labels))
    exact, expected = logits.float().double().numpy(), 0.0
    for (first, last), ends in zip(((0, 3), (3, 5)), labels.tolist(), strict=True):
        for column, end in enumerate(ends):
            part = exact[first:last, column]
            expected += (np.log(np.exp(part).sum()) - part[end]) / 2
    assert (loss.item(), loss.dtype) == (pytest.approx(expected, rel=1e-6), torch.float32)


def test_sums_of_exponentials_do_not_overflow() -> None:
    logits = torch.tensor([[1000.0, -1000.0], [1000.0, -1000.0], [3.0, 4.0]])
    found = segment_logsumexp(logits, torch.tensor([0, 2, 3], dtype=torch.int32))
    expected = [[1000 + math.log(2), -1000 + math.log(2)], [3.0, 4.0]]
    assert found.tolist() == [pytest.approx(row) for row in expected]


def question(name: str, *answers: str) -> SpanRow:
    return SpanRow(name, "", "", CONTEXT, tuple((text, CONTEXT.index(text)) for text in answers))


def given(name: str, label: list[str], answer: str, odds: float, best: str) -> Prediction:
    return Prediction(name, label, answer, {}, odds, best)


def test_scores_with_a_null_threshold_by_hand() -> None:
    """By odds: a right span held back, a wrong one that is right to hold back, and half a one given."""
    rows = [question("a", "Ann"), question("b"), question("c", "in Paris")]
    answers = [
        given("a", ["Ann"], "", 1.0, "Ann"),
        given("b", [], "", 2.0, "1999"),
        given("c", ["in Paris"], "Paris", -1.0, "Paris"),
    ]
    scores = KIND.score(NULL, rows, answers)
    half = 2 / 3  # F1 of one word of two
    assert (scores["f1"], scores["exact_match"]) == (pytest.approx((1 + half) / 3), pytest.approx(1 / 3))
    assert (scores["best_f1"], scores["best_f1_threshold"]) == (pytest.approx((2 + half) / 3), 1.0)
    assert scores["best_exact_match"] == scores["exact_match_at_best_f1"] == pytest.approx(2 / 3)
    for metric in KIND.metrics:
        weighted = KIND.weighted_score(NULL.model_copy(update={"metric": metric}), answers)
        assert weighted(np.ones((1, 3)))[0] == pytest.approx(scores[metric])
    assert set(KIND.score(own(), rows[:1], answers[:1])) == {"f1", "exact_match"}


def test_constant_answers_are_none_and_the_first_words() -> None:
    rows = [question("a", "Ann"), question("b")]
    none = KIND.constant(own(), [], rows)
    assert [(p.id, p.label, p.prediction, p.null_odds, p.best_span) for p in none] == [
        *(("a", ["Ann"], "", NEVER, ""), ("b", [], "", NEVER, ""))
    ]
    found = [[p.prediction for p in answers] for answers in KIND.constants(own(), rows)]
    assert found == [[""] * 2, ["Ann"] * 2, ["Ann sat in Paris"] * 2, [CONTEXT] * 2]
    for answers in KIND.constants(own(), rows):
        assert KIND.is_constant(own(), rows, answers)
        assert {p.null_odds for p in answers} == {-NEVER if answers[0].prediction else NEVER}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("The Paris.", "paris"), True),  # one text, as SQuAD's scorer reads it
        (("Ann", "Ann sat"), True),
        (("Ann", ""), False),
        (("Ann", "sat"), False),
        (("", ""), True),
    ],
)
def test_what_is_one_answer(answers: tuple[str, str], expected: bool) -> None:
    rows = [question("a"), SpanRow("b", "", "", f"  {CONTEXT}", ())]
    found = [given(row.id, [], answer, 0.0, answer) for row, answer in zip(rows, answers, strict=True)]
    assert KIND.is_constant(own(), rows, found) == expected


@pytest.mark.parametrize(
    ("label", "answer", "error"),
    [
        (["in Paris"], "Paris", (pytest.approx(1 / 3), "in Paris", "Paris")),
        (["Rome", "in Paris"], "Paris", (pytest.approx(1 / 3), "Rome | in Paris", "Paris")),
        (["Paris"], "the Paris", None),
        ([], "Paris", (1.0, "(no answer)", "Paris")),
        (["Paris"], "", (1.0, "Paris", "(no answer)")),
        ([], "", None),
    ],
)
def test_errors_are_what_f1_misses(label: list[str], answer: str, error: tuple[float, str, str] | None) -> None:
    assert KIND.error({"label": label, "prediction": answer}) == error
    assert list(KIND.confusions({"label": label, "prediction": answer})) == []


def test_windows_are_as_far_apart_as_the_task_says(tokenizer: Tokenizer) -> None:
    words = " ".join(["the cat sat on the mat near the house"] * 3)
    row = SpanRow("a", "", "who sat", words, (("cat", 4),))
    near, far = (own(document_stride=stride, max_query_length=4, max_answer_length=2) for stride in (4, 8))
    windows = [KIND.encode(task, [row], tokenizer, (), 16).items for task in (near, far)]
    # 27 pieces by 11 at a time (16 without [CLS], the question and two [SEP]).
    assert windows == [1 + -(-(27 - 11) // stride) for stride in (4, 8)]


def test_every_piece_has_logits() -> None:
    hidden, packed = torch.arange(4.0).view(2, 2), object()
    encoder = SimpleNamespace(hidden_states=lambda given: (0, hidden) if given is packed else None)
    head = lambda rows_nh: -rows_nh  # noqa: E731
    found = KIND.logits(encoder, None, head, SimpleNamespace(packed=packed))  # type: ignore[arg-type]
    assert found.tolist() == [[0.0, -1.0], [-2.0, -3.0]]
    split = SimpleNamespace(lengths_i=np.array([3, 2]))
    assert KIND.logits_of_items(split).tolist() == [3, 2]  # type: ignore[arg-type]


def test_answers_say_what_the_search_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        SimpleNamespace(text="", n_best=(("", 0.75), ("Ann", 0.2499996)), null_odds=1.2345674, best_span="Ann"),
        SimpleNamespace(text="sat", n_best=(("sat", 1.0),), null_odds=-2.0, best_span="sat"),
    ]
    monkeypatch.setattr("finetuning.kinds.span.span_answers", lambda *given: found if given == asked else None)
    asked = NULL, [question("a", "Ann", "Paris"), question("b")], object(), object()
    task, rows, split, logits = asked
    assert KIND.decode(task, (), rows, split, logits) == [  # type: ignore[arg-type]
        Prediction("a", ["Ann", "Paris"], "", {"": 0.75, "Ann": 0.25}, 1.234567, "Ann"),
        Prediction("b", [], "sat", {"sat": 1.0}, -2.0, "sat"),
    ]


def test_answers_without_a_best_span_are_none_at_any_threshold() -> None:
    """As those of other models, read from a file; the threshold that gives `Ann` gives the other row its span too."""
    rows = [question("a"), question("b", "Ann")]
    answers = [Prediction("a", [], "", {}, None, None), given("b", ["Ann"], "", 1.0, "Ann")]
    scores = KIND.score(NULL, rows, answers)
    assert (scores["f1"], scores["best_f1"], scores["best_exact_match"]) == (0.5, 1.0, 1.0)


def test_squad_s_own_files_or_those_of_a_server(tmp_path: Path) -> None:
    answers = [given("a", ["Ann"], "", 1.0, "Ann")]
    for task, names in ((own(), ("predictions", "nbest")), (NULL, ("predictions", "nbest", "null-odds", "best-spans"))):
        found = KIND.write_benchmark_files(tmp_path, task, "dev", answers)
        assert [path.name for path in found] == [f"squad-dev-{name}.json" for name in names]
        assert json.loads(found[0].read_text()) == {"a": ""}
    server = own(splits={"dev": {"file": "d.jsonl", "submission": "S.tsv"}})
    assert KIND.write_benchmark_files(tmp_path, server, "dev", answers) == [tmp_path / "submission" / "S.tsv"]
