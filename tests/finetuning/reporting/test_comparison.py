"""The paired comparison of checkpoints against enumerations by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from finetuning.errors import FinetuningError
from finetuning.reporting.comparison import compare_paired, holm, seeds_needed, smallest_p_value
from finetuning.reporting.significance import confidence_interval


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


@pytest.mark.parametrize("seeds", [2, 5, 6, 13, 14])
def test_no_difference_is_large_enough_for_a_smaller_p_value(seeds):
    first = {("rate", seed): 50.0 for seed in range(seeds)}
    second = {key: 60.0 + key[1] / 100 for key in first}
    comparison = compare_paired(first, second)
    assert comparison.p_value == pytest.approx(comparison.smallest_p_value)
    assert comparison.smallest_p_value == smallest_p_value(seeds)


def test_five_seeds_cannot_show_what_six_can():
    assert (smallest_p_value(5), smallest_p_value(6)) == (0.0625, 0.03125)


@pytest.mark.parametrize("tests", [1, 2, 8, 9, 40])
def test_the_seeds_that_are_needed_are_the_fewest(tests):
    seeds = seeds_needed(tests)
    adjusted = [min(holm([smallest_p_value(count)] * tests)) for count in (seeds - 1, seeds)]
    assert adjusted[1] < 0.05 <= adjusted[0]


def test_a_family_of_equal_p_values_is_adjusted_alike():
    assert holm([0.01, 0.01, 0.01]) == pytest.approx([0.03] * 3)
    assert holm([0.5, 0.4, 0.001]) == pytest.approx([0.8, 0.8, 0.003])


def test_wins_ties_and_losses_are_told_apart():
    first = {(0, seed): 1.0 for seed in range(6)}
    second = dict(zip(first, (2.0, 1.0, 1.0, 0.5, 3.0, 1.25), strict=True))
    found = compare_paired(first, second)
    assert (found.wins, found.ties, found.losses) == (3, 2, 1)
    turned = compare_paired(second, first)
    assert (turned.wins, turned.ties, turned.losses) == (1, 2, 3)


def test_many_seeds_are_drawn_and_few_enumerated():
    steps = np.random.default_rng(0).normal(0.3, 1.0, 20)
    found = compare_paired({(0, n): 0.0 for n in range(20)}, {(0, n): float(step) for n, step in enumerate(steps)})
    expected = stats.permutation_test(
        (steps, np.zeros(20)),
        lambda a, b: float(np.mean(a - b)),
        permutation_type="samples",
        vectorized=False,
        n_resamples=9999,
        alternative="two-sided",
        rng=np.random.default_rng(20181011),
    )
    assert found.p_value == pytest.approx(float(expected.pvalue), abs=1e-12)
    assert 0.01 < found.p_value < 0.99
    assert (found.seeds, found.pairs, found.unpaired) == (20, 20, 0)


def test_two_seeds_are_tested():
    found = compare_paired({(0, 1): 1.0, (0, 2): 2.0, (1, 5): 0.0}, {(0, 1): 2.0, (0, 2): 4.0, (1, 6): 0.0})
    assert (found.p_value, found.unpaired) == (0.5, 2)
