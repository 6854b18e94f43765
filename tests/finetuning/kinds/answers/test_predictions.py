"""Answers, their file, and what several kinds make them with."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from finetuning.kinds.answers.predictions import (
    Prediction,
    commonest,
    label_settings,
    read_prediction,
    softmax,
    write_predictions,
)


def test_a_line_has_what_is_known_of_its_row(tmp_path: Path) -> None:
    rows = [
        Prediction("a", "x", "y", {"x": 0.25, "y": 0.75}),
        Prediction("b", None, "caf\u00e9", {}, null_odds=0.0, best_span="caf\u00e9", lost_tokens=3),
    ]
    path = write_predictions(tmp_path / "predictions.jsonl", rows)
    assert path == tmp_path / "predictions.jsonl"
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert "caf\u00e9" in text
    assert [json.loads(line) for line in text.splitlines()] == [
        {"id": "a", "label": "x", "prediction": "y", "scores": {"x": 0.25, "y": 0.75}},
        {"id": "b", "label": None, "prediction": "caf\u00e9", "scores": {}, "null_odds": 0.0, "lost_tokens": 3},
    ]


def test_what_a_prediction_says_where_nothing_is_said() -> None:
    plain = Prediction("a", "x", "y", {})
    assert (plain.null_odds, plain.best_span, plain.lost_tokens) == (None, None, 0)


def test_softmax_over_the_last_axis() -> None:
    logits = np.array([[[0.0, np.log(3.0)], [1000.0, 1000.0]], [[-1000.0, 0.0], [5.0, 5.0 + np.log(4.0)]]], np.float32)
    expected = [[[0.25, 0.75], [0.5, 0.5]], [[0.0, 1.0], [0.2, 0.8]]]
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("counted", "expected"), [("bbaac", "a"), ("caab", "a"), ("cbb", "b"), ("", ""), ([10, 9], 10)]
)
def test_the_commonest_and_of_equal_ones_the_first_by_name(counted: str, expected: object) -> None:
    assert commonest(Counter(counted)) == expected


def test_names_of_classes_as_hugging_face_has_them() -> None:
    assert label_settings(["no", "yes"]) == {
        "id2label": {"0": "no", "1": "yes"},
        "label2id": {"no": 0, "yes": 1},
    }


ANSWERS = [
    Prediction("0", "yes", "no", {"yes": 0.4, "no": 0.6}, lost_tokens=3),
    Prediction("1", 2.5, 1.0, [1.0]),
    Prediction("2", ["a", "b"], [], {"a": 0.1}),
    Prediction("q", ["in Paris"], "", {"": 0.6, "Paris": 0.3, "in": 0.1}, 1.5, "Paris"),
    Prediction("r", [], "", {"": 1.0}, 1.5, ""),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.id)
def test_a_line_is_read_as_it_was_written(answer: Prediction, tmp_path: Path) -> None:
    (line,) = write_predictions(tmp_path / "predictions-dev.jsonl", [answer]).read_text().splitlines()
    assert read_prediction(json.loads(line)) == answer
