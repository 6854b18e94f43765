"""Errors over seeds and rows: against closed forms, and how often the interval of both covers."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.coverage import CROSSED, crossed_coverage
from finetuning.kinds.metrics.weighted import weighted_mean
from finetuning.reporting.sampling import both_errors, sampling
from finetuning.reporting.significance import StandardError


def drawn(runs: int, rows: int, of_run: float, of_both: float = 0.2) -> np.ndarray:
    draw = np.random.default_rng(4)
    easy_c = draw.random(rows)
    return easy_c + of_run * draw.standard_normal((runs, 1)) + of_both * draw.standard_normal((runs, rows))


def sampled(scores_rc: np.ndarray, starts: list[str] | None = None):
    scorers = [weighted_mean(row) for row in scores_rc]
    return sampling(scorers, scores_rc.shape[1], scores_rc.mean(1).tolist(), starts)


def test_errors_of_means_in_closed_form() -> None:
    scores_rc = drawn(5, 400, 0.05)
    found = sampled(scores_rc)
    seeds = scores_rc.mean(1).std(ddof=1) / 5**0.5
    rows = scores_rc.mean(0).std() / 400**0.5
    assert found.error_of_seeds.value == pytest.approx(seeds)
    assert found.error_of_examples.value == pytest.approx(rows, rel=0.06)  # of 1,000 resamples
    one = scores_rc.var(1).mean() / 400
    assert found.error_of_both.value**2 == pytest.approx(seeds**2 + rows**2 - (one - rows**2) / 4, rel=0.1)
    assert found.half_width_of_seeds == pytest.approx(2.7764 * seeds, rel=1e-4)
    assert found.half_width_of_examples == pytest.approx(1.9659 * rows, rel=0.06)
    assert (found.rows, found.runs, found.error_of_examples.degrees) == (400, 5, 399)
    assert [sampled(drawn(2, rows, 0.1)).error_of_examples.degrees for rows in (2, 3)] == [1, 2]


def test_both_errors_by_hand() -> None:
    # variances 4 and 9, of which (10 - 9) / (2 - 1) is in both
    error = both_errors(StandardError(2.0, 1), StandardError(3.0, 99), 10.0, 2)
    assert error.value == pytest.approx(12**0.5)
    assert error.degrees == pytest.approx(144 / (16 / 1 + 81 / 99))


def test_the_error_of_both_is_never_below_one_alone() -> None:
    assert both_errors(StandardError(1.0, 4), StandardError(0.5, 99), 9.0, 5).value == 1.0
    assert both_errors(StandardError(0.0, 4), StandardError(0.0, 99), 0.0, 5) == StandardError(0.0, 4)


def test_rows_never_make_the_interval_narrower() -> None:
    found = sampled(drawn(5, 400, 0.25))
    by_itself = stats.t.ppf(0.975, found.error_of_both.degrees) * found.error_of_both.value
    assert by_itself < found.half_width_of_seeds, "the case that the rule is for"
    assert found.half_width_of_both == found.half_width_of_seeds


def test_one_run_says_nothing_of_seeds() -> None:
    found = sampled(drawn(1, 100, 0.0))
    assert (found.error_of_seeds, found.error_of_both, found.half_width_of_both) == (None, None, None)
    assert found.half_width_of_examples > 0


def test_runs_of_one_start_count_as_one() -> None:
    scores_rc = drawn(4, 100, 0.1)
    found = sampled(scores_rc, ["a", "a", "b", "b"])
    means = scores_rc.mean(1).reshape(2, 2).mean(1)
    assert found.error_of_seeds.value == pytest.approx(means.std(ddof=1) / 2**0.5)
    assert found.error_of_seeds.degrees == 1


def test_the_same_rows_are_drawn_each_time() -> None:
    scores_rc = drawn(3, 60, 0.1)
    assert sampled(scores_rc) == sampled(scores_rc)


@pytest.mark.parametrize("name", CROSSED)
def test_the_interval_of_both_covers_where_one_alone_does_not(name: str) -> None:
    found = crossed_coverage(5, 100, CROSSED[name], 1500, seed=2)
    # Three standard errors of a share of 0.95 in 1,500 are 0.017.
    assert found.both >= 0.933
    assert min(found.seeds, found.examples) < 0.93
