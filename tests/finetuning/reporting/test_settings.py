"""What is said of a setting and of the best one, against numpy and scipy."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from finetuning.reporting.gather import FinishedRun, find_runs
from finetuning.reporting.settings import best_of, best_row, by_setting, setting_row
from finetuning.reporting.significance import IntervalMethod
from tests.finetuning.reporting.finished_runs import answered, right_so_often

Written = Callable[..., list[FinishedRun]]


@pytest.fixture
def written(tmp_path: Path, write_result: Callable[..., Path]) -> Written:
    """written((rate, seed) → score or fields) → all runs."""

    def write(scores: dict[tuple[float, int], Any], **common: Any) -> list[FinishedRun]:
        for (rate, seed), fields in scores.items():
            own = fields if isinstance(fields, dict) else {"score": fields}
            write_result(tmp_path / f"{rate:g}-{seed}", learning_rate=rate, seed=seed, **common, **own)
        return find_runs([tmp_path])

    return write


def summary_of(scores: list[float]) -> dict[str, Any]:
    """The figures of some scores by numpy, and Student's interval by scipy."""
    low, high = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    return {
        "runs": len(scores),
        "best": max(scores),
        "worst": min(scores),
        "median": np.median(scores),
        "mean": pytest.approx(np.mean(scores)),
        "standard_deviation": pytest.approx(np.std(scores, ddof=1)),
        "interval": {"low": pytest.approx(low), "high": pytest.approx(high), "level": 0.95, "method": "t"},
    }


def test_settings_and_seeds_are_in_order(written: Written) -> None:
    runs = written({(5e-5, 10): 0.5, (5e-5, 2): 0.5, (2e-5, 3): 0.5})
    found = [[(run.result.learning_rate, run.result.seed) for run in one] for one in by_setting(runs)]
    assert found == [[(2e-5, 3)], [(5e-5, 2), (5e-5, 10)]]


def test_every_figure_of_a_setting(written: Written) -> None:
    cut = {
        **{"rows": 10, "truncated_rows": 1, "truncated_share": 0.1, "tokens": 99, "lost_tokens": 3},
        **{"longest": 200, "limit": 128, "limit_name": "max_length", "rows_in_parts": 0, "empty_rows": 0},
        **{"words_without_tokens": 0, "rows_without_document": 0, "unreached_answers": 0, "too_long_answers": 0},
        **{"closer_windows": 0, "unknown_tokens": 5},
    }
    first = {"score": 0.9, "metrics": {"accuracy": 0.9, "f1": 0.5, "only_here": 1.0}, "truncation": {"dev": cut}}
    failed = {"score": 0.3, "failed_run": True, "failure": "constant", "stopped_early": True}
    near = {"score": 0.6, "above_constant": (-0.1, 0.2), "metrics": {"accuracy": 0.6, "f1": 0.25}}
    runs = written(
        {
            (3e-5, 1): {**first, "seconds_per_epoch": 1.0},
            (3e-5, 2): {**failed, "metrics": {"accuracy": 0.3, "f1": 0.0}, "seconds_per_epoch": 2.0},
            (3e-5, 3): {**near, "seconds_per_epoch": 6.0},
        },
        batch_size=16,
        epochs=2.0,
        spec={"dropout": 0.2},
    )
    pairs = [max(pair) for pair in itertools.product((0.9, 0.3, 0.6), repeat=2)]
    assert setting_row(runs, "t") == {
        "setting": "3e-05, batch 16, 2 epochs, dropout 0.2",
        "learning_rate": 3e-5,
        "batch_size": 16,
        "epochs": 2.0,
        "from_mnli": False,
        "options": ["dropout 0.2"],
        "seeds": [1, 2, 3],
        "scores": [0.9, 0.3, 0.6],
        "summary": summary_of([0.9, 0.3, 0.6]),
        "summary_without_failed": summary_of([0.9, 0.6]),
        "expected_best": {"1": pytest.approx(0.6), "2": pytest.approx(np.mean(pairs))},
        "failed": 1,
        "failures": {"constant": 1},
        "near_constant": 1,
        "stopped_early": 1,
        "starts": None,
        "start_note": "",
        "truncation": {"dev": cut},
        "metrics": {"accuracy": pytest.approx(0.6), "f1": pytest.approx(0.25)},
        "seconds_per_epoch": pytest.approx(3.0),
    }


@pytest.mark.parametrize("scores", [(0.9, 0.8), (0.3, 0.2)])
def test_where_all_or_none_failed_there_is_nothing_beside(written: Written, scores: tuple[float, float]) -> None:
    row = setting_row(written({(3e-5, seed): score for seed, score in enumerate(scores)}), "t")
    assert row["summary_without_failed"] is None
    assert row["failed"] == (2 if scores[0] < 0.4 else 0)
    assert row["failures"] == ({"not above the best constant": 2} if scores[0] < 0.4 else {})


def test_one_run_that_did_not_fail_stands_beside(written: Written) -> None:
    beside = setting_row(written({(3e-5, 1): 0.3, (3e-5, 2): 0.9}), "t")["summary_without_failed"]
    assert (beside["runs"], beside["mean"], beside["interval"]) == (1, 0.9, None)


@pytest.mark.parametrize(
    ("count", "tries"),
    [(1, "1"), (2, "1 2"), (4, "1 2"), (5, "1 2 5"), (9, "1 2 5"), (10, "1 2 5 10"), (11, "1 2 5 10")],
)
def test_budgets_are_no_larger_than_the_runs(written: Written, count: int, tries: str) -> None:
    runs = written({(3e-5, seed): 0.5 for seed in range(count)})
    assert list(setting_row(runs, "t")["expected_best"]) == tries.split()


def test_runs_of_one_start_are_told_and_count_as_one(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    """Both with failed runs and without: of four starts with two runs each the interval has three degrees, then two."""
    for seed, score in enumerate((0.5, 0.5, 0.7, 0.7, 0.9, 0.9, 0.2, 0.2)):
        start = "abcd"[seed // 2] * 64
        write_result(tmp_path / f"{seed}-from-mnli", task="rte", seed=seed, score=score, model_fingerprint=start)
    row = setting_row(find_runs([tmp_path]), "t")
    assert (row["from_mnli"], row["starts"]) == (True, 4)
    assert row["start_note"].startswith("8 runs from 4 fine-tuned runs")
    for name, means in (("summary", [0.5, 0.7, 0.9, 0.2]), ("summary_without_failed", [0.5, 0.7, 0.9])):
        interval, expected = row[name]["interval"], stats.ttest_1samp(means, 0).confidence_interval(0.95)
        assert (interval["low"], interval["high"]) == pytest.approx((expected.low, expected.high))
    best = best_row(by_setting(find_runs([tmp_path])), "t")
    expected = stats.ttest_1samp([0.5, 0.7, 0.9, 0.2], 0).confidence_interval(0.95)
    assert best["interval"]["high"] == pytest.approx(expected.high)


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_the_method_is_kept(written: Written, method: IntervalMethod) -> None:
    runs = written({(3e-5, seed): (seed + 3) / 9 for seed in range(4)})
    row, best = setting_row(runs, method), best_row([runs], method)
    assert {row[name]["interval"]["method"] for name in ("summary", "summary_without_failed")} == {method}
    assert best["interval"]["method"] == best["chosen"]["interval"]["method"] == method


def test_the_best_setting_is_among_those_with_the_most_seeds(written: Written) -> None:
    scores = {(2e-5, 1): 0.7, (2e-5, 2): 0.6, (3e-5, 1): 0.6, (3e-5, 2): 0.6, (5e-5, 1): 0.9}
    settings = by_setting(written(scores))
    assert best_of(settings) is settings[0]
    assert best_of(settings[1:]) is settings[1]


def test_of_equal_settings_the_first_is_the_best(written: Written) -> None:
    settings = by_setting(written({(2e-5, 1): 0.5, (3e-5, 1): 0.5}))
    assert best_of(settings) is settings[0]


def test_the_best_setting_allows_for_choice_seeds_and_rows(consistent: Path) -> None:
    best = best_row(by_setting(find_runs([consistent])), "t")
    assert best["chosen"]["settings"] == 2
    mean, error = 0.8125, np.std([33, 32, 33, 32], ddof=1) / 40 / 2
    high, low = stats.t.ppf(0.975, 3), stats.t.ppf(1 - 0.025 / 2, 3)
    assert best["chosen"]["interval"] == {
        **{"low": pytest.approx(mean - low * error), "high": pytest.approx(mean + high * error)},
        **{"level": 0.95, "method": "t"},
    }
    assert best["chosen"]["held_out_mean"] == pytest.approx(0.8125)  # the other seeds choose it each time
    assert best["chosen"]["held_out_seeds"] == 4
    assert (best["allows_for"], best["sampling_note"]) == (["seeds", "choice of setting", "dev rows"], "")
    sampling = best["sampling"]
    assert sampling["error_of_seeds"]["value"] == pytest.approx(error)
    assert 0.05 < sampling["error_of_examples"]["value"] < 0.08
    both = sampling["error_of_both"]
    assert best["interval"]["high"] == pytest.approx(mean + stats.t.ppf(0.975, both["degrees"]) * both["value"])
    lower = mean - stats.t.ppf(1 - 0.025 / 2, both["degrees"]) * both["value"]
    assert best["interval"]["low"] == pytest.approx(lower)
    assert (best["interval"]["level"], best["interval"]["method"]) == (0.95, "t")


def test_rows_never_make_the_interval_narrower_than_seeds_alone(written: Written) -> None:
    counts = (5, 12, 20, 30, 38)
    runs = written({(3e-5, seed): count / 40 for seed, count in enumerate(counts)}, task="sst2")
    for run, count in zip(runs, counts, strict=True):
        answered(run.folder, *right_so_often(count, ["1"] * 40))
    best = best_row([runs], "t")
    assert best["allows_for"] == ["seeds", "dev rows"]
    seeds, both = best["chosen"]["interval"], best["interval"]
    assert (both["low"], both["high"]) == pytest.approx((seeds["low"], seeds["high"]))


def test_settings_that_were_given_up_count_as_tried(written: Written) -> None:
    seeds = {2e-5: 3, 3e-5: 3, 4e-5: 1, 5e-5: 1}
    settings = by_setting(
        written({(rate, seed): rate * 1e4 + seed / 9 for rate, count in seeds.items() for seed in range(count)})
    )
    best = best_row(settings, "t")
    assert (best["chosen"]["settings"], best["chosen"]["held_out_seeds"]) == (4, 3)
    assert best["chosen"]["held_out_mean"] == pytest.approx(0.3 + 1 / 9)
    error = np.std([0, 1 / 9, 2 / 9], ddof=1) / 3**0.5
    lower = 0.3 + 1 / 9 - stats.t.ppf(1 - 0.025 / 4, 2) * error
    assert best["interval"]["low"] == pytest.approx(lower)
    assert (best["sampling"], best["allows_for"]) == (None, ["seeds", "choice of setting"])
    assert "predictions-dev.jsonl: no such file" in best["sampling_note"]


def test_of_one_run_there_is_no_interval(written: Written) -> None:
    """Though its rows have one of their own."""
    (run,) = written({(3e-5, 1): 30 / 40}, task="sst2")
    answered(run.folder, *right_so_often(30, ["1"] * 40))
    best = best_row([[run]], "t")
    assert best["chosen"] == {"settings": 1, "interval": None, "held_out_mean": None, "held_out_seeds": 1}
    assert (best["interval"], best["allows_for"], best["sampling_note"]) == (None, [], "")
    assert best["sampling"]["error_of_both"] is None
    assert best["sampling"]["error_of_examples"]["value"] > 0
