"""Each model makes what it says least: against the formula, by the slope at its end."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from finetuning.baselines.models import ClassModel, LabelsModel, NumberModel
from finetuning.baselines.strength import FEWEST_ROWS, HELD_SHARE, MOST_HELD, MOST_LEARNT, held_out

ROWS = csr_array(np.random.default_rng(3).integers(0, 2, (60, 5)).astype(np.float32))
DENSE = ROWS.toarray().astype(np.float64)


@pytest.mark.parametrize("strength", [10.0, 0.5])
def test_no_slope_is_left_where_classes_are_learnt(strength: float) -> None:
    """∂/∂w of Σ −log p + λ/2 |w|² is 0 at the end, and that of the intercept without λ."""
    targets = np.random.default_rng(4).integers(0, 3, 60)
    model = ClassModel(3)
    model.fit(ROWS, targets, strength)
    assert model.has_settled
    wrong = model.outputs(ROWS) - np.eye(3)[targets]
    weights = model._model.coef_
    assert np.abs(wrong.T @ DENSE + strength * weights).max() < 0.2
    assert np.abs(wrong.sum(0)).max() < 0.2
    assert np.abs(weights).max() > 0.05
    assert model.parameters == 3 * 6
    right = model.outputs(ROWS)[np.arange(60), targets]
    assert model.loss(ROWS, targets) == pytest.approx(-np.log(right).mean())


def test_no_slope_is_left_where_a_number_is_learnt() -> None:
    targets = (DENSE @ [1.0, -2.0, 0.0, 0.5, 3.0] + 0.25).astype(np.float32)
    model = NumberModel()
    model.fit(ROWS, targets, 2.0)
    wrong = model.outputs(ROWS)[:, 0] - targets
    assert np.abs(wrong @ DENSE + 2.0 * model._model.coef_).max() < 0.05
    assert abs(wrong.mean()) < 1e-3
    assert model.loss(ROWS, targets) == pytest.approx(float((wrong**2).mean()))


def test_classes_that_no_row_has_are_never_likely() -> None:
    model = ClassModel(4)
    model.fit(ROWS, np.where(DENSE[:, 0] > 0, 3, 1), 1.0)
    outputs = model.outputs(ROWS)
    assert outputs.shape == (60, 4)
    assert (outputs[:, [0, 2]] == 0).all()
    assert (outputs.argmax(1) == np.where(DENSE[:, 0] > 0, 3, 1)).all()


def test_one_class_alone_is_the_answer() -> None:
    model = ClassModel(2)
    model.fit(ROWS, np.ones(60, np.int64), 1.0)
    assert model.outputs(ROWS).tolist() == [[0.0, 1.0]] * 60
    assert model.parameters == 0
    assert model.has_settled


def test_each_label_is_learnt_by_itself() -> None:
    targets = np.stack([DENSE[:, 0], 1 - DENSE[:, 1], np.zeros(60)], 1).astype(np.float32)
    model = LabelsModel(3)
    model.fit(ROWS, targets, 0.1)
    assert ((model.outputs(ROWS) > 0.5) == targets).all()
    assert model.outputs(ROWS)[:, 2].tolist() == [0.0] * 60
    assert 0 < model.loss(ROWS, targets) < 0.1


def test_a_fit_that_is_stopped_says_so() -> None:
    model = ClassModel(2, steps=1)
    model.fit(ROWS, np.random.default_rng(1).integers(0, 2, 60), 0.1)
    assert not model.has_settled


def test_the_seed_draws_the_rows_that_choose() -> None:
    halves = held_out(100, 1)
    assert halves is not None
    learnt, held = halves
    assert len(held) == round(100 * HELD_SHARE)
    assert sorted([*learnt.tolist(), *held.tolist()]) == list(range(100))
    again, other = held_out(100, 1), held_out(100, 2)
    assert again is not None
    assert other is not None
    assert again[1].tolist() == held.tolist()
    assert other[1].tolist() != held.tolist()
    assert held_out(FEWEST_ROWS - 1, 1) is None
    assert held_out(FEWEST_ROWS, 1) is not None
    many = held_out(200_000, 1)
    assert many is not None
    assert (len(many[0]), len(many[1])) == (MOST_LEARNT, MOST_HELD)
    assert not set(many[0].tolist()) & set(many[1].tolist())
