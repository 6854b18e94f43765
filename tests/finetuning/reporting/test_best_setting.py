"""The figures of a chosen setting: by hand, and how often its intervals cover in simulated sweeps."""

import pytest
from scipy import stats

from benchmarks.coverage import SEEDS, SETTINGS, TRUTHS, choice_coverage
from finetuning.reporting.best_setting import choice_interval, held_out_mean, widened
from finetuning.reporting.significance import StandardError, confidence_interval

SCORES = [60.0, 62.0, 64.0, 66.0, 58.0]
REPETITIONS = 4000


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("truth", TRUTHS)
def test_the_chosen_settings_interval_covers(truth: str, settings: int, seeds: int) -> None:
    found = choice_coverage(settings, seeds, TRUTHS[truth], REPETITIONS, seed=settings * seeds)
    # Three standard errors of a share of 0.95 in 4,000 are 0.010.
    assert found.for_choice >= 0.94
    assert abs(found.held_out_too_high) < 0.08  # of a seed's standard deviation
    if settings == 1:
        assert found.for_choice == found.plain <= 0.96


@pytest.mark.parametrize(("settings", "plain"), [(4, 0.915), (8, 0.855), (24, 0.72)])
def test_without_the_correction_it_does_not(settings: int, plain: float) -> None:
    found = choice_coverage(settings, 5, TRUTHS["equal means"], REPETITIONS, seed=1)
    assert found.plain == pytest.approx(plain, abs=0.025)
    assert found.too_high > 0.4


def test_settings_that_share_their_seeds_are_covered_too() -> None:
    assert choice_coverage(24, 5, TRUTHS["equal means"], REPETITIONS, seed=3, shared=0.9).for_choice >= 0.94


def test_failures_are_in_no_interval() -> None:
    """What the report says of it is so: with a tenth of runs failing, nobody covers."""
    found = choice_coverage(1, 10, TRUTHS["equal means"], REPETITIONS, seed=1, failing=0.1)
    assert found.for_choice < 0.93


def test_the_lower_end_alone_allows_for_the_choice() -> None:
    interval = choice_interval(SCORES, 8)
    error = 2**0.5  # sqrt(10) / sqrt(5)
    assert interval is not None
    assert interval.high == pytest.approx(62 + 2.7764 * error, abs=1e-3)
    assert interval.low == pytest.approx(62 - stats.t.ppf(1 - 0.025 / 8, 4) * error)
    assert interval.level == 0.95


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_one_setting_is_no_choice(method: str) -> None:
    assert choice_interval(SCORES, 1, method=method) == confidence_interval(SCORES, method=method)
    wider = choice_interval(SCORES, 24, method=method)
    assert wider.low < confidence_interval(SCORES, method=method).low
    assert wider.high == confidence_interval(SCORES, method=method).high


def test_one_seed_has_no_interval() -> None:
    assert choice_interval([70.0], 4) is None


def test_widened_is_the_same_by_students_t() -> None:
    expected = choice_interval(SCORES, 4)
    interval = widened(62.0, StandardError(2**0.5, 4), 4)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_held_out_scores_by_hand() -> None:
    a, b = {1: 10.0, 2: 2.0, 3: 3.0}, {1: 4.0, 2: 5.0, 3: 5.0}
    # Without seed 1 b is better (5 against 2.5), without 2 a (6.5 against 4.5), without 3 a (6 against 4.5).
    assert held_out_mean([a, b]) == (pytest.approx((4 + 2 + 3) / 3), 3)
    assert held_out_mean([a]) == (5.0, 3)


def test_only_seeds_that_all_settings_have_are_held_out() -> None:
    assert held_out_mean([{1: 1.0, 2: 2.0, 3: 9.0}, {1: 0.0, 2: 0.0, 4: 9.0}]) == (1.5, 2)
    assert held_out_mean([{1: 1.0, 2: 2.0}, {2: 0.0, 4: 9.0}]) == (None, 1)
