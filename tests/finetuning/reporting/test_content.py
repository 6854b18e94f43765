"""The report as plain data: models, tasks and remarkable runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.reporting.content import build
from finetuning.reporting.error_analysis import analyse
from finetuning.reporting.gather import find_runs
from finetuning.reporting.missing import find_missing
from finetuning.reporting.published import beside, published
from finetuning.reporting.settings import best_row, by_setting, setting_row
from tests.finetuning.reporting.finished_runs import Made, model_of

BASELINE: dict[str, Any] = {"learning_rate": 0.0, "batch_size": 0, "epochs": 0.0, "baseline": "bag of words"}
ITS_SPEC = {"learning_rate": 3e-5, "batch_size": 32, "epochs": 3.0}


def named(runs: list[dict[str, Any]]) -> list[str]:
    return [Path(run["folder"]).name for run in runs]


def test_figures_of_each_setting_by_hand(sweep: Path) -> None:
    report = build([sweep])
    old = {row["learning_rate"]: row for row in model_of(report, "old")["settings"]}
    assert old[2e-5]["summary"]["mean"] == pytest.approx(0.72)
    assert old[2e-5]["summary"]["standard_deviation"] == pytest.approx(0.01)
    assert old[2e-5]["summary"]["median"] == pytest.approx(0.72)
    assert old[2e-5]["summary"]["best"] == pytest.approx(0.73)
    assert old[2e-5]["summary"]["interval"]["high"] == pytest.approx(0.72 + 4.303 * 0.01 / 3**0.5, abs=1e-4)
    assert old[5e-5]["seeds"] == [1, 2]
    assert model_of(report, "old")["best_setting"]["learning_rate"] == 2e-5
    new = {row["learning_rate"]: row for row in model_of(report, "new")["settings"]}
    assert new[2e-5]["failed"] == 1
    assert new[2e-5]["summary"]["mean"] == pytest.approx((0.4 + 0.82 + 0.83) / 3)
    assert new[2e-5]["summary_without_failed"]["mean"] == pytest.approx(0.825)
    assert new[2e-5]["expected_best"]["1"] == pytest.approx(new[2e-5]["summary"]["mean"])


def test_what_is_said_of_a_sweep(sweep: Path) -> None:
    """All of it, put together from what the other modules say of the same runs."""
    runs = find_runs([sweep])
    report = build([sweep])
    assert report.keys() == {
        *("folders", "interval", "models", "tasks", "failed_runs", "near_constant_runs", "judged_by_majority"),
        *("stopped_early_runs", "missing_runs", "comparisons", "citation"),
    }
    assert report["folders"] == [str(sweep)]
    assert report["interval"] == {"method": "t", "level": 0.95}
    assert report["models"] == ["new", "old"]  # as the folders come
    assert report["citation"].startswith("Devlin et al. 2019")
    (task,) = report["tasks"]
    models = task.pop("models")
    assert task == {
        **{"task": "polite", "metric": "accuracy", "majority_score": 0.4, "constant_score": 0.4},
        **{"train_rows": 10, "dev_rows": 4, "published": []},
    }
    for model, label, best, rate in zip(models, ("new", "old"), (3, 3), (2e-5, 2e-5), strict=True):
        settings = by_setting([run for run in runs if run.label == label])
        rows = [setting_row(setting, "t") for setting in settings]
        (chosen,) = (row for row in rows if row["learning_rate"] == rate)
        best_of_all = max((run for run in runs if run.label == label), key=lambda run: run.result.score)
        assert best_of_all.result.seed == best
        assert model == {
            **{"label": label, "best_setting": chosen, "settings": rows, "errors": asdict(analyse(best_of_all))},
            **{"all_metrics": beside("polite", chosen["metrics"])},
            **best_row(settings, "t"),
        }
    (missing,), (expected,) = report["missing_runs"], find_missing([sweep])
    assert missing == asdict(expected) | {"folder": str(expected.folder)}
    assert missing["folder"].endswith("old/polite/lr5e-05-batch32-epochs3-seed3")
    assert (missing["attempts"], missing["last_line"]) == (2, "RuntimeError: no | memory")
    json.dumps(report, allow_nan=False)


def test_tasks_of_a_benchmark_have_their_own_runs_and_published_figures(made: Made, tmp_path: Path) -> None:
    made("1", task="rte", score=0.7, metrics={"accuracy": 0.7}, train_rows=5, dev_rows=6)
    made("2", task="cola", score=0.5, metric="matthews_correlation", metrics={"matthews_correlation": 0.5})
    made("3", task="rte", model="b", score=0.8, metrics={"accuracy": 0.8}, dev_rows=6)
    report = build([tmp_path])
    assert [task["task"] for task in report["tasks"]] == ["rte", "cola"]
    assert [[model["label"] for model in task["models"]] for task in report["tasks"]] == [["a", "b"], ["a"]]
    rte, cola = report["tasks"]
    assert (rte["metric"], rte["train_rows"], rte["dev_rows"]) == ("accuracy", 5, 6)
    assert cola["metric"] == "matthews_correlation"
    for task in (rte, cola):
        assert task["published"] == [asdict(figure) for figure in published(task["task"])] != []
    (metric,) = rte["models"][0]["all_metrics"]
    assert [figure["percent"] for figure in metric["published"]] == [66.4, 70.1]


def test_errors_are_those_of_the_best_run_of_all_settings(made: Made, tmp_path: Path) -> None:
    """Not of the best setting: that has more seeds."""
    for seed, rate, score in ((1, 2e-5, 0.5), (2, 2e-5, 0.6), (1, 5e-5, 0.9)):
        made(f"{rate}-{seed}", seed=seed, learning_rate=rate, score=score)
    model = model_of(build([tmp_path]), "a")
    assert model["best_setting"]["learning_rate"] == 2e-5
    assert model["errors"]["folder"] == str(tmp_path / "5e-05-1")


def test_the_method_of_the_intervals_reaches_all_of_them(made: Made, tmp_path: Path) -> None:
    for model in ("a", "b"):
        for seed in range(3):
            made(f"{model}{seed}", model=model, seed=seed, score=0.5 + seed**2 / 50 * (model == "b"))
    report = build([tmp_path], method="bootstrap")
    assert report["interval"]["method"] == "bootstrap"
    for label in ("a", "b"):
        model = model_of(report, label)
        assert model["settings"][0]["summary"]["interval"]["method"] == "bootstrap"
        assert model["chosen"]["interval"]["method"] == "bootstrap"
    (comparison,) = report["comparisons"]
    assert comparison["interval"]["method"] == "bootstrap"


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        ("diverged", "the loss stopped being finite"),
        ("constant", "every dev row got the same answer"),
        ("not above the best constant", "at or below the best constant answer"),
        (None, ""),
    ],
)
def test_why_a_run_failed(made: Made, tmp_path: Path, failure: str | None, why: str) -> None:
    made("run", score=0.5, failed_run=True, failure=failure, constant_score=0.6, majority_score=0.3)
    report = build([tmp_path])
    assert report["failed_runs"] == [
        {
            **{"folder": str(tmp_path / "run"), "task": "cola", "score": 0.5, "majority_score": 0.3},
            **{"constant_score": 0.6, "failure": failure, "why": why},
        }
    ]
    assert report["tasks"][0]["constant_score"] == 0.6
    assert report["judged_by_majority"] == 0


def test_runs_stopped_early_are_listed_apart(made: Made, tmp_path: Path) -> None:
    option = {"stop_failed_after": 1}
    made("went-on", seed=1, spec=option)
    made("stopped", seed=2, score=0.3, stopped_early=True, spec=option)
    made("failed", seed=3, score=0.2, spec=option)
    report = build([tmp_path])
    best = model_of(report, "a")["best_setting"]
    assert (best["failed"], best["stopped_early"]) == (2, 1)
    assert named(report["failed_runs"]) == ["failed"]
    assert report["stopped_early_runs"] == [
        {
            **{"folder": str(tmp_path / "stopped"), "task": "cola", "score": 0.3, "majority_score": 0.4},
            **{"constant_score": 0.4, "after_epochs": 1, "epochs": 3.0},
        }
    ]


def test_runs_that_rows_do_not_tell_from_a_constant_answer_are_listed(made: Made, tmp_path: Path) -> None:
    for seed, interval in enumerate([(-0.01, 0.05), (0.01, 0.07)]):
        made(str(seed), seed=seed, score=0.51, constant_score=0.49, above_constant=interval)
    report = build([tmp_path])
    assert report["near_constant_runs"] == [
        {
            **{"folder": str(tmp_path / "0"), "task": "cola", "score": 0.51, "majority_score": 0.4},
            **{"constant_score": 0.49, "above_constant": {"low": -0.01, "high": 0.05}},
        }
    ]
    assert (report["failed_runs"], model_of(report, "a")["best_setting"]["near_constant"]) == ([], 1)


def test_results_of_earlier_versions_are_read_and_told_apart(made: Made, tmp_path: Path) -> None:
    """They have no reason of a failure, and were compared with training's commonest answer."""
    scores = {"above": (0.5, False), "below": (0.4, False), "diverged": (0.5, True)}
    for seed, (name, (score, diverged)) in enumerate(scores.items()):
        run = made(name, seed=seed, score=score, diverged=diverged, failed_run=name != "above")
        content = json.loads((run / "result.json").read_text())
        for new in ("constant_score", "failure", "above_constant"):
            del content[new]
        (run / "result.json").write_text(json.dumps(content))
    report = build([tmp_path])
    found = {Path(run["folder"]).name: run["failure"] for run in report["failed_runs"]}
    assert found == {"below": "not above the best constant", "diverged": "diverged"}
    assert (report["judged_by_majority"], report["tasks"][0]["constant_score"]) == (3, 0.4)


def test_what_has_no_encoder_stands_behind_and_is_not_paired(made: Made, tmp_path: Path) -> None:
    made("a-words", **BASELINE, spec=ITS_SPEC, score=0.6)
    report = build([tmp_path], baseline="bag of words")  # of nothing else, nothing is compared
    assert (report["models"], report["comparisons"]) == (["bag of words"], [])
    made("b", score=0.7)
    report = build([tmp_path])
    assert (report["models"], report["comparisons"]) == (["a", "bag of words"], [])
    with pytest.raises(FinetuningError, match="--baseline bag of words: it has no settings, by which runs are paired"):
        build([tmp_path], baseline="bag of words")


def test_a_baseline_without_runs_is_one_sentence(made: Made, tmp_path: Path) -> None:
    made("1")
    made("2", model="b")
    with pytest.raises(FinetuningError, match=r"^--baseline c: there are no runs of it, only of a, b$"):
        build([tmp_path], baseline="c")


def test_only_folders_with_runs_make_a_report(tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match="no finished run"):
        build([tmp_path])
