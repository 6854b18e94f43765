"""The bootstrap over rows against what is known of a share, and its draws."""

import numpy as np
import pytest

from finetuning.kinds.metrics import resampling
from finetuning.kinds.metrics.resampling import resampled_scores
from finetuning.kinds.metrics.weighted import weighted_mean


def test_the_spread_of_a_share_is_the_binomial_one() -> None:
    right_i = (np.arange(400) < 300).astype(float)
    scores_b = resampled_scores([weighted_mean(right_i)], 400, 4000, seed=1)[:, 0]
    assert scores_b.mean() == pytest.approx(0.75, abs=0.002)
    assert scores_b.std() == pytest.approx((0.75 * 0.25 / 400) ** 0.5, rel=0.05)


def test_all_scorers_see_the_same_rows() -> None:
    values_i = np.arange(50.0)
    scores_b2 = resampled_scores([weighted_mean(values_i), weighted_mean(2 * values_i + 1)], 50, 20, seed=2)
    assert scores_b2[:, 1] == pytest.approx(2 * scores_b2[:, 0] + 1)
    assert len(set(scores_b2[:, 0])) > 10


def test_every_resample_has_as_many_rows_however_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def watching(weights_bi: np.ndarray) -> np.ndarray:
        seen.append(weights_bi)
        return weights_bi[:, 0]

    whole = resampled_scores([watching], 30, 12, seed=5)
    monkeypatch.setattr(resampling, "CELLS", 100)
    cut = resampled_scores([watching], 30, 12, seed=5)
    assert np.array_equal(whole, cut)
    assert [len(weights) for weights in seen] == [12, 3, 3, 3, 3]
    assert all((weights.sum(1) == 30).all() for weights in seen)
