"""Statistics over seeds against hand-computed values and independent implementations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from finetuning.errors import FinetuningError
from finetuning.reporting.significance import compare_paired, confidence_interval, expected_best, holm, summarise

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


def test_paired_comparison_by_enumeration():
    first = {("rate", seed): score for seed, score in enumerate([60.0, 61.0, 58.0, 64.0, 63.0, 59.0])}
    second = {
        key: score + step for (key, score), step in zip(first.items(), [2.0, 1.0, 3.0, -0.5, 2.5, 1.5], strict=True)
    }
    second["other", 1] = 1.0
    comparison = compare_paired(first, second)
    differences = np.array([second[seed] - first[seed] for seed in first])
    flipped = [abs((differences * signs).mean()) for signs in itertools.product((1, -1), repeat=6)]
    exact = np.mean([value >= abs(differences.mean()) - 1e-12 for value in flipped])
    assert comparison.p_value == pytest.approx(exact)
    assert (comparison.seeds, comparison.pairs, comparison.unpaired) == (6, 6, 1)
    assert (comparison.wins, comparison.ties, comparison.losses) == (5, 0, 1)
    assert comparison.mean_difference == pytest.approx(differences.mean())


def test_settings_of_one_seed_are_one_difference():
    steps = {1: 1.0, 2: 2.0, 3: 1.5, 4: 0.5, 5: 3.0}
    first = {(rate, seed): 60.0 + rate for rate in range(4) for seed in steps}
    second = {(rate, seed): score + steps[seed] + (rate - 1.5) / 10 for (rate, seed), score in first.items()}
    comparison = compare_paired(first, second)
    assert (comparison.seeds, comparison.pairs) == (5, 20)
    assert comparison.p_value == pytest.approx(2 / 2**5)  # all seeds won: twenty independent pairs would give 2 / 2**20
    assert comparison.mean_difference == pytest.approx(1.6)
    expected = confidence_interval(list(steps.values()))
    assert comparison.interval.low == pytest.approx(expected.low)
    one_seed = compare_paired({(rate, 1): 1.0 for rate in range(4)}, {(rate, 1): 2.0 for rate in range(4)})
    assert (one_seed.p_value, one_seed.interval) == (None, None)


def test_comparison_of_equal_runs_finds_nothing():
    scores = {("rate", 1): 50.0, ("rate", 2): 60.0, ("rate", 3): 55.0}
    comparison = compare_paired(scores, dict(scores))
    assert comparison.ties == 3
    assert comparison.p_value == 1.0
    assert comparison.interval.low == comparison.interval.high == 0.0


def test_holm_by_hand():
    # sorted: 0.01 * 4, then 0.02 * 3, then 0.03 * 2 raised to what came before, then 0.5
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_no_shared_key_is_an_error():
    with pytest.raises(FinetuningError, match="share no task"):
        compare_paired({(3e-5, 1): 1.0}, {(3e-5, 2): 1.0})


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf]])
def test_nothing_or_not_a_number_is_an_error(scores):
    with pytest.raises(FinetuningError):
        summarise(scores)
