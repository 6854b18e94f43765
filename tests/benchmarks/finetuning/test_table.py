"""The statistics of the comparison, and its table."""

import math

import pytest

from benchmarks.finetuning.plan import Plan
from benchmarks.finetuning.table import standard_error, standard_errors, summary, table

PLAN = Plan(runs=(), epochs=2.0, train_rows=1200, dev_rows=30, constant=0.25)


def outcomes(*scores: float, seconds: float) -> list[dict[str, float]]:
    return [{"score": score, "seconds": seconds, "processor_seconds": seconds / 2} for score in scores]


def test_standard_errors_are_welch() -> None:
    first, second = [0.5, 0.6, 0.7], [0.4, 0.4, 0.7]
    variances = 0.01, 0.03
    expected = (0.6 - 0.5) / math.sqrt(variances[0] / 3 + variances[1] / 3)
    assert standard_errors(first, second) == pytest.approx(expected)
    assert standard_errors(second, first) == pytest.approx(-expected)
    assert standard_errors([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert standard_errors([0.5, 0.5], [0.4, 0.4]) is None
    assert standard_errors([0.5], [0.4]) is None
    assert standard_error([0.4, 0.4, 0.7]) == pytest.approx(math.sqrt(0.03 / 3))
    assert math.isnan(standard_error([0.4]))


def test_a_line_of_the_table() -> None:
    found = summary(
        {"ours": outcomes(0.5, 0.6, 0.7, seconds=3), "transformers": outcomes(0.4, 0.4, 0.7, seconds=4)}, PLAN
    )
    assert found["ratio_of_seconds"] == 0.75
    assert found["scores"]["transformers"] == [0.4, 0.4, 0.7]
    lines = table({"cola": found}).splitlines()
    assert len(lines) == 3
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == ("| cola | 1,200 × 2 | 0.250 | 0.600 ± 0.058 | 0.500 ± 0.100 | +0.9 | 3.0 | 4.0 | 0.75 | 0.75 |")


def test_the_middle_run_counts_for_the_time() -> None:
    ours = [*outcomes(0.5, seconds=1), *outcomes(0.5, seconds=2), *outcomes(0.5, seconds=90)]
    found = summary({"ours": ours, "transformers": outcomes(0.5, seconds=4)}, PLAN)
    assert found["seconds"]["ours"] == 2
    assert found["processor_seconds"]["ours"] == 1


def test_one_seed_has_no_error() -> None:
    found = summary({"ours": outcomes(0.5, seconds=1), "transformers": outcomes(0.4, seconds=1)}, PLAN)
    assert found["standard_error"] == {"ours": None, "transformers": None}
    assert "| 0.500 | 0.400 | unknown |" in table({"cola": found})
