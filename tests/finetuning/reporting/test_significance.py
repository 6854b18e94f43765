"""Statistics over seeds against hand-computed values and independent implementations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from finetuning.errors import FinetuningError
from finetuning.reporting.comparison import compare_paired
from finetuning.reporting.significance import LEVEL, confidence_interval, expected_best, seed_error, summarise

SCORES = [60.0, 62.0, 64.0, 66.0, 58.0]


def test_summary_of_five_scores_by_hand():
    summary = summarise(SCORES)
    assert (summary.runs, summary.best, summary.worst, summary.median, summary.mean) == (5, 66.0, 58.0, 62.0, 62.0)
    assert summary.standard_deviation == pytest.approx(math.sqrt(10.0))
    # t(0.975, 4) = 2.7764 from any table; half width 2.7764 * sqrt(10) / sqrt(5)
    assert summary.interval.high - summary.mean == pytest.approx(2.7764 * math.sqrt(2), abs=1e-3)
    assert summary.mean - summary.interval.low == pytest.approx(2.7764 * math.sqrt(2), abs=1e-3)


def test_one_run_has_no_interval_and_no_deviation():
    summary = summarise([70.0])
    assert summary.interval is None
    assert summary.standard_deviation is None
    assert summary.best == summary.median == summary.mean == 70.0


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_equal_scores_give_an_interval_of_no_width(method):
    interval = confidence_interval([0.1 + 0.2, 0.3, 0.3], method=method)
    assert interval.low == interval.high == pytest.approx(0.3)


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_interval_covers_the_true_mean_about_as_often_as_it_says(method):
    random = np.random.default_rng(5)
    rounds = 300 if method == "t" else 60
    hits = 0
    for _ in range(rounds):
        interval = confidence_interval(random.normal(80.0, 3.0, size=12).tolist(), method=method)
        hits += interval.low <= 80.0 <= interval.high
    assert 0.85 <= hits / rounds <= 0.995


def test_bootstrap_is_the_same_each_time():
    assert confidence_interval(SCORES, method="bootstrap") == confidence_interval(SCORES, method="bootstrap")


def test_t_interval_equals_scipy():
    expected = stats.ttest_1samp(SCORES, 0).confidence_interval(0.9)
    interval = confidence_interval(SCORES, level=0.9)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_expected_best_equals_the_mean_over_all_draws(tries):
    scores = [1.0, 4.0, 2.0]
    draws = [max(draw) for draw in itertools.product(scores, repeat=tries)]
    assert expected_best(scores, tries) == pytest.approx(sum(draws) / len(draws))


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf]])
def test_nothing_or_not_a_number_is_an_error(scores):
    with pytest.raises(FinetuningError):
        summarise(scores)


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_an_interval_says_what_it_is(method):
    scores = {(0, seed): score for seed, score in enumerate(SCORES)}
    nothing = dict.fromkeys(scores, 0.0)
    assert LEVEL == 0.95
    for interval, level in (
        (confidence_interval(SCORES, method=method), 0.95),
        (confidence_interval(SCORES, method=method, level=0.5), 0.5),
        (confidence_interval([3.0, 3.0], method=method, level=0.5), 0.5),
        (summarise(SCORES, method=method, level=0.5).interval, 0.5),
        (compare_paired(nothing, scores, method=method, level=0.5).interval, 0.5),
    ):
        assert (interval.method, interval.level) == (method, level)
    assert confidence_interval(SCORES).method == summarise(SCORES).interval.method == "t"
    assert compare_paired({(0, 1): 1.0, (0, 2): 2.0}, {(0, 1): 1.0, (0, 2): 3.0}).interval.method == "t"
    assert summarise(SCORES).interval.level == 0.95


def test_the_bootstrap_is_scipys_bca_with_a_fixed_seed():
    scores = np.random.default_rng(3).normal(80.0, 3.0, 12).tolist()  # so many that every resampling has its own ends
    expected = stats.bootstrap(
        (np.array(scores),),
        np.mean,
        confidence_level=0.9,
        n_resamples=9999,
        method="BCa",
        rng=np.random.default_rng(20181011),
    ).confidence_interval
    interval = confidence_interval(scores, method="bootstrap", level=0.9)
    assert (interval.low, interval.high) == (expected.low, expected.high)


def test_scores_are_equal_where_only_rounding_tells_them_apart():
    assert confidence_interval([0.0, 1.8e-12]).high > confidence_interval([0.0, 1.8e-12]).low
    for rounded in ([0.0, 1.2e-12], [1e6, 1e6 + 1e-7]):
        interval = confidence_interval(rounded)
        assert interval.low == interval.high
    assert confidence_interval([-1e6, -1e6 + 1e-5]).high > confidence_interval([-1e6, -1e6 + 1e-5]).low


def test_no_tries_are_none():
    assert expected_best([3.0, 1.0], 1) == 2.0
    for tries in (0, -1):
        with pytest.raises(FinetuningError, match="at least 1, not"):
            expected_best([1.0], tries)


def test_runs_of_one_start_count_as_one():
    """Of starts with equally many runs the error is that of their means."""
    scores, starts = [1.0, 2.0, 4.0, 5.0, 9.0, 10.0], ["a", "a", "b", "b", "c", "c"]
    error = seed_error(scores, starts)
    means = [1.5, 4.5, 9.5]
    assert error.degrees == 2
    assert error.value == pytest.approx(np.std(means, ddof=1) / math.sqrt(3))
    interval = confidence_interval(scores, starts=starts)
    expected = confidence_interval(means)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert summarise(scores, starts=starts).interval == interval


@pytest.mark.parametrize("starts", [None, ["a"] * 5, list("abcde")])
def test_one_start_or_each_its_own_is_the_usual_error(starts):
    error = seed_error(SCORES, starts)
    assert (error.value, error.degrees) == pytest.approx((math.sqrt(10 / 5), 4))
    assert confidence_interval(SCORES, starts=starts) == confidence_interval(SCORES)


def test_starts_of_unequal_size():
    # deviations from the mean 3: sums of the starts -3 and +3, so 2/1 * (9 + 9) / 9
    error = seed_error([1.0, 2.0, 6.0], ["a", "a", "b"])
    assert (error.value, error.degrees) == pytest.approx((2.0, 1))


def test_one_run_has_no_error():
    assert seed_error([1.0], ["a"]) is None
