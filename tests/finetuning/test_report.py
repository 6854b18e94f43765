"""The fine-tuning report: figures, failed and missing runs, comparison, errors, and what is on the page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.atomic_file import write_json
from finetuning.kinds.loading import kind_of, load_task
from finetuning.report import main
from finetuning.reporting.content import build
from finetuning.reporting.page import render, write_report
from finetuning.reporting.published import PUBLISHED
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs

OWN = """
name = "polite"
kind = "classification"
format = "jsonl"
labels = ["no", "yes"]
metric = "accuracy"
columns = { text_a = "text", label = "label" }
splits = { train = "train.jsonl", dev = "dev.jsonl" }
"""
TEXTS = ["<b>please</b> | now", "thanks", "go away", "hm"]
GOLD = ["yes", "yes", "no", "no"]


@pytest.fixture
def sweep(tmp_path: Path, write_result: Callable[..., Path]) -> Path:
    """Two models, two rates, three seeds of a user's own task; one run failed, one is missing."""
    task = tmp_path / "task" / "polite.toml"
    task.parent.mkdir()
    task.write_text(OWN)
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, GOLD, strict=True)]
    for name in ("train", "dev"):
        (task.parent / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = tmp_path / "sweep"
    config = SweepConfig(
        models={"old": "models/old", "new": "models/new"},
        tasks=(str(task),),
        output=str(output),
        learning_rates=(5e-5, 2e-5),
        seeds=(1, 2, 3),
    )
    write_json(output / "sweep.json", config.model_dump(mode="json"))
    base = {("old", 5e-5): 0.6, ("old", 2e-5): 0.7, ("new", 5e-5): 0.65, ("new", 2e-5): 0.8}
    for run in plan_runs(config):
        score = base[run.model_label, run.learning_rate] + run.seed / 100
        if (run.model_label, run.learning_rate, run.seed) == ("old", 5e-5, 3):
            logs = output / "logs" / run.folder
            logs.mkdir(parents=True)
            (logs / "attempts.jsonl").write_text("{}\n{}\n")
            (logs / "output.txt").write_text("some lines\nRuntimeError: no | memory\n")
            continue
        if (run.model_label, run.learning_rate, run.seed) == ("new", 2e-5, 1):
            score = 0.4
        fields: dict[str, Any] = {"learning_rate": run.learning_rate, "seed": run.seed, "spec": {"task": str(task)}}
        folder = write_result(output / run.folder, task="polite", score=score, **fields)
        answers = ["yes", "no", "no", "yes"]
        lines = [
            {"id": str(n), "label": GOLD[n], "prediction": answers[n], "scores": {answers[n]: 0.6 + n / 10}}
            for n in range(4)
        ]
        (folder / "predictions-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return output


def model(report: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = (entry for entry in report["tasks"][0]["models"] if entry["label"] == label)
    return found


def test_figures_of_each_setting_by_hand(sweep: Path):
    report = build([sweep])
    old = {row["learning_rate"]: row for row in model(report, "old")["settings"]}
    assert old[2e-5]["summary"]["mean"] == pytest.approx(0.72)
    assert old[2e-5]["summary"]["standard_deviation"] == pytest.approx(0.01)
    assert old[2e-5]["summary"]["median"] == pytest.approx(0.72)
    assert old[2e-5]["summary"]["best"] == pytest.approx(0.73)
    assert old[2e-5]["summary"]["interval"]["high"] == pytest.approx(0.72 + 4.303 * 0.01 / 3**0.5, abs=1e-4)
    assert old[5e-5]["seeds"] == [1, 2]
    assert model(report, "old")["best_setting"]["learning_rate"] == 2e-5
    new = {row["learning_rate"]: row for row in model(report, "new")["settings"]}
    assert new[2e-5]["failed"] == 1
    assert new[2e-5]["summary"]["mean"] == pytest.approx((0.4 + 0.82 + 0.83) / 3)
    assert new[2e-5]["summary_without_failed"]["mean"] == pytest.approx(0.825)
    assert new[2e-5]["expected_best"]["1"] == pytest.approx(new[2e-5]["summary"]["mean"])


def test_failed_and_missing_runs_are_named(sweep: Path):
    report = build([sweep])
    (failed,) = report["failed_runs"]
    assert failed["folder"].endswith("new/polite/lr2e-05-batch32-epochs3-seed1")
    assert "at or below" in failed["why"]
    (missing,) = report["missing_runs"]
    assert missing["folder"].endswith("old/polite/lr5e-05-batch32-epochs3-seed3")
    assert (missing["attempts"], missing["last_line"]) == (2, "RuntimeError: no | memory")
    assert (missing["reason"], missing["job"]) == ("", "")
    assert missing["tail"] == ("some lines", "RuntimeError: no | memory")


def test_why_a_run_was_given_up_and_in_which_job_is_on_the_page(sweep: Path):
    (missing,) = build([sweep])["missing_runs"]
    mark = {"reason": "out of memory", "attempts": 1, "message": "exit code 137: <b>", "job": "4711_3"}
    write_json(Path(missing["log"]).parent / "failed.json", mark)
    report = build([sweep])
    (missing,) = report["missing_runs"]
    assert (missing["reason"], missing["job"], missing["message"]) == ("out of memory", "4711_3", "exit code 137: <b>")
    write_report(report, sweep)
    assert "out of memory; 2 attempts, the last in job 4711_3; exit code 137" in (sweep / "report.md").read_text()
    page = (sweep / "report.html").read_text()
    assert "<b>out of memory</b>; 2 attempts, the last in job 4711_3; exit code 137: &lt;b&gt;" in page
    assert "some lines\nRuntimeError: no | memory" in page
    (Path(missing["log"]).parent / "failed.json").write_text("{half")  # a machine that went down
    assert build([sweep])["missing_runs"][0]["reason"] == ""


def test_checkpoints_are_compared_run_by_run(sweep: Path):
    (row,) = build([sweep], baseline="old")["comparisons"]
    assert (row["seeds"], row["pairs"], row["unpaired"]) == (3, 5, 1)
    # seed 1: both rates, one of them failed; seed 2: both; seed 3: the one that both models have
    assert row["mean_difference"] == pytest.approx(((0.05 + 0.4 - 0.71) / 2 + (0.05 + 0.1) / 2 + 0.1) / 3)
    assert (row["wins"], row["losses"]) == (2, 1)
    assert row["p_value"] == row["p_value_holm"]
    (reverse,) = build([sweep], baseline="new")["comparisons"]
    assert reverse["mean_difference"] == pytest.approx(-row["mean_difference"])


def test_confusion_and_worst_errors_carry_the_texts(sweep: Path):
    errors = model(build([sweep]), "old")["errors"]
    assert errors["labels"] == ("no", "yes")
    assert errors["confusion"] == ((1, 1), (1, 1))
    assert (errors["wrong"], errors["rows"]) == (2, 4)
    assert [(error["text"], error["prediction"]) for error in errors["worst"]] == [("hm", "yes"), ("thanks", "no")]


def test_the_three_files_say_the_same(sweep: Path, capsys):
    assert main([str(sweep)]) == 0
    assert "1 runs of the sweep have no result yet" in capsys.readouterr().err
    page, text = (sweep / "report.html").read_text(), (sweep / "report.md").read_text()
    mean = json.loads((sweep / "report.json").read_text())["tasks"][0]["models"][1]["settings"][0]["summary"]["mean"]
    for content in (page, text):
        assert f"{100 * mean:.1f} ±" in content
        assert "lr5e-05-batch32-epochs3-seed3" in content
    assert page.count("<figure") == 2  # all tasks, and the settings of the one
    assert page.count('class="matrix"') == 2  # a model each
    assert "<b>please" not in page
    assert "<script" not in page
    assert "no \\| memory" in text


def test_the_papers_figures_stand_beside(tmp_path: Path, write_result: Callable[..., Path]):
    run = write_result(tmp_path / "run", task="mrpc", score=0.88)
    line = {"id": "0", "label": "1", "prediction": "0", "scores": {"0": 0.9}}
    (run / "predictions-dev.jsonl").write_text(json.dumps(line) + "\n")
    report = build([run])
    assert "Base dev accuracy 86.7; Large dev accuracy 87.8; Base test f1 88.9" in render(report, "report.md")
    assert "arXiv:1810.04805" in render(report, "report.html")
    summary = report["tasks"][0]["models"][0]["best_setting"]["summary"]
    assert summary["interval"] is summary["standard_deviation"] is None  # one run
    json.dumps(report, allow_nan=False)
    assert "hub" in report["tasks"][0]["models"][0]["errors"]["note"]


TOKENS = {"id": "0", "label": ["O", "B-PER", "O"], "prediction": ["O", "O", "O"], "scores": [0.9, 0.5, 0.9]}
SPAN = {"id": "q", "label": ["in Paris"], "prediction": "Paris", "scores": {"Paris": 0.9}, "null_odds": -1.0}
NUMBER = {"id": "0", "label": 4.0, "prediction": 1.5, "scores": [1.5]}
CHOICE = {"id": "0", "label": 2, "prediction": 1, "scores": [0.1, 0.7, 0.1, 0.1]}


def published_lines(report: dict[str, Any]) -> list[str]:
    """The rows of the table of all metrics, without task and model."""
    text = render(report, "report.md")
    section = text[text.index("## All metrics") : text.index("## Failed runs")]
    return [line.split(" | ", 2)[2].removesuffix(" |") for line in section.splitlines()[7:] if line.startswith("| ")]


PAPER = "Devlin et al. 2019, arXiv:1810.04805v2"


@pytest.mark.parametrize(
    ("task", "metrics", "expected"),
    [
        (
            "mnli",
            {"accuracy": 0.841, "dev_mismatched/accuracy": 0.832},
            [
                "accuracy | 84.1 | "
                + "; ".join(
                    f"{figure} ({PAPER}, table {table})"
                    for figure, table in (
                        ("Base dev accuracy 84.4", 6),
                        ("Large dev accuracy 86.6", 6),
                        ("Base test accuracy 84.6", 1),
                        ("Large test accuracy 86.7", 1),
                    )
                ),
                f"dev_mismatched/accuracy | 83.2 | Base test mismatched accuracy 83.4 ({PAPER}, table 1); "
                f"Large test mismatched accuracy 85.9 ({PAPER}, table 1)",
            ],
        ),
        (
            "squad2",
            {"f1": 0.7, "exact_match": 0.6, "best_f1": 0.8, "best_f1_threshold": -1.25, "exact_match_at_best_f1": 0.78},
            [
                "f1 | 70.0 | –",
                "exact_match | 60.0 | –",
                f"best_f1 | 80.0 | Large dev best_f1 81.9 ({PAPER}, table 3)",
                "best_f1_threshold | -1.25 | –",
                f"exact_match_at_best_f1 | 78.0 | Large dev exact_match 78.7 ({PAPER}, table 3)",
            ],
        ),
        (
            "conll2003-features (weighted-sum-all, width 768, dropout 0.5)",
            {"entity_f1": 0.95, "test/entity_f1": 0.91},
            [f"entity_f1 | 95.0 | Base dev entity_f1 95.5 ({PAPER}, table 7)", "test/entity_f1 | 91.0 | –"],
        ),
        (
            "goemotions",
            {"micro_f1": 0.5, "test/macro_f1": 0.45},
            [
                "micro_f1 | 50.0 | –",
                "test/macro_f1 | 45.0 | Base test macro_f1 46.0 (Demszky et al. 2020, arXiv:2005.00547v2, table 4)",
            ],
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_a_published_figure_stands_beside_the_metric_that_it_is_of(
    tmp_path: Path, write_result: Callable[..., Path], task: str, metrics: dict[str, float], expected: list[str]
):
    spec = {"task": task.split("-")[0]}
    run = write_result(tmp_path / "run", task=task, metric=next(iter(metrics)), metrics=metrics, spec=spec)
    lines = {"squad2": SPAN, "goemotions": {"id": "0", "label": [], "prediction": ["joy"], "scores": {}}}
    line = lines.get(task, TOKENS if task.startswith("conll") else {"id": "0", "label": "a", "prediction": "a"})
    for split in ("dev", "dev_matched"):
        (run / f"predictions-{split}.jsonl").write_text(json.dumps(line) + "\n")
    assert published_lines(build([tmp_path])) == expected


def test_every_published_figure_names_a_metric_of_its_task():
    for name, figures in PUBLISHED.items():
        task = load_task(name)
        known = {*kind_of(task).metrics, "exact_match_at_best_f1"}
        for figure in figures:
            split, _, metric = figure.ours.rpartition("/")
            assert metric in known, (name, figure)
            assert split in ("", *task.dev[1:]), (name, figure)


def test_metrics_that_an_earlier_version_did_not_have_are_left_out(tmp_path: Path, write_result: Callable[..., Path]):
    answer(write_result(tmp_path / "1", seed=1, metrics={"accuracy": 0.5, "f1": 0.4}))
    answer(write_result(tmp_path / "2", seed=2, metrics={"accuracy": 0.7}))
    (setting,) = model(build([tmp_path]), "a")["settings"]
    assert setting["metrics"] == {"accuracy": pytest.approx(0.6)}


@pytest.mark.parametrize(
    ("task", "line", "badness"),
    [("conll2003", TOKENS, 1 / 3), ("squad1", SPAN, 1 / 3), ("stsb", NUMBER, 2.5), ("swag", CHOICE, 0.7)],
)
def test_errors_of_every_kind_of_task(tmp_path: Path, write_result: Callable[..., Path], task, line, badness):
    run = write_result(tmp_path / "run", task=task)
    (run / "predictions-dev.jsonl").write_text(json.dumps(line) + "\n")
    report = build([run])
    (error,) = report["tasks"][0]["models"][0]["errors"]["worst"]
    assert error["badness"] == pytest.approx(badness)
    assert task in render(report, "report.html")


def answer(run: Path, text: str = "yes") -> Path:
    """Leaves the predictions that the report reads."""
    line = {"id": "0", "label": "no", "prediction": text, "scores": {text: 0.9}}
    (run / "predictions-dev.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    return run


@pytest.mark.parametrize(
    "options",
    [{"dropout": 0.2}, {"sequence_length": 64}, {"precision": "bf16"}, {"limit_train": 5}, {"weight_decay": 0.0}],
)
def test_runs_with_other_options_are_other_settings(tmp_path: Path, write_result: Callable[..., Path], options):
    answer(write_result(tmp_path / "one", seed=1))
    answer(write_result(tmp_path / "two", seed=1, spec=options))
    settings = model(build([tmp_path]), "a")["settings"]
    (name, value) = next(iter(options.items()))
    assert [row["summary"]["runs"] for row in settings] == [1, 1]
    assert settings[1]["setting"] == f"3e-05, batch 32, 3 epochs, {name} {value}"


def test_where_a_run_was_made_is_no_setting(tmp_path: Path, write_result: Callable[..., Path]):
    answer(write_result(tmp_path / "one", seed=1))
    answer(
        write_result(tmp_path / "two", seed=2, spec={"device": "cpu", "threads": 4, "save_model": True, "data": "d"})
    )
    (setting,) = model(build([tmp_path]), "a")["settings"]
    assert setting["seeds"] == [1, 2]


def test_a_seed_does_not_count_twice(tmp_path: Path, write_result: Callable[..., Path], capsys):
    for name in ("one", "two"):
        answer(write_result(tmp_path / name, seed=7))
    assert main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "are the same run, a on cola with 3e-05, batch 32, 3 epochs and seed 7" in line


@pytest.mark.parametrize("spec", [{}, {"tokenizer": "other/vocab.txt"}])
def test_one_label_is_one_model(tmp_path: Path, write_result: Callable[..., Path], capsys, spec):
    answer(write_result(tmp_path / "one", seed=1))
    answer(write_result(tmp_path / "two", seed=2, spec=spec, model_fingerprint=("f" if spec else "e") * 64))
    assert main([str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "are both of a model called a, but started from different weights or tokenizers" in line


def test_runs_from_mnli_may_start_from_different_weights(tmp_path: Path, write_result: Callable[..., Path]):
    for seed in (1, 2):
        fingerprint = str(seed) * 64
        answer(write_result(tmp_path / f"{seed}-from-mnli", task="rte", seed=seed, model_fingerprint=fingerprint))
    (setting,) = model(build([tmp_path]), "a")["settings"]
    assert setting["seeds"] == [1, 2]


def test_the_best_setting_is_among_those_with_the_most_seeds(tmp_path: Path, write_result: Callable[..., Path]):
    scores = {(2e-5, 1): 0.7, (2e-5, 2): 0.6, (3e-5, 1): 0.6, (3e-5, 2): 0.6, (5e-5, 1): 0.9}
    for (rate, seed), score in scores.items():
        answer(write_result(tmp_path / f"{rate}-{seed}", learning_rate=rate, seed=seed, score=score))
    assert model(build([tmp_path]), "a")["best_setting"]["learning_rate"] == 2e-5


def test_runs_stopped_early_are_counted_and_listed_apart(tmp_path: Path, write_result: Callable[..., Path]):
    option = {"stop_failed_after": 1}
    answer(write_result(tmp_path / "went-on", seed=1, spec=option))
    answer(write_result(tmp_path / "stopped", seed=2, score=0.3, stopped_early=True, spec=option))
    answer(write_result(tmp_path / "failed", seed=3, score=0.2, spec=option))
    report = build([tmp_path])
    best = model(report, "a")["best_setting"]
    assert (best["failed"], best["stopped_early"]) == (2, 1)
    assert [Path(run["folder"]).name for run in report["failed_runs"]] == ["failed"]
    assert [Path(run["folder"]).name for run in report["stopped_early_runs"]] == ["stopped"]
    for template in ("report.md", "report.html"):
        assert "30.0 (constant answer 40.0) after 1 of 3 epochs" in render(report, template)


@pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\u0085b"])
def test_a_line_separator_in_an_answer_is_no_damage(tmp_path: Path, write_result: Callable[..., Path], text: str):
    answer(write_result(tmp_path / "run"), text)
    assert model(build([tmp_path]), "a")["errors"]["rows"] == 1


@pytest.mark.parametrize("content", [b"", b"[]", b'{"models": 3}', b'{"models"', b"\xff"])
def test_a_damaged_sweep_table_is_one_sentence(sweep: Path, capsys, content: bytes):
    (sweep / "sweep.json").write_bytes(content)
    assert main([str(sweep)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "sweep.json is damaged" in line


def test_a_report_that_cannot_be_written_is_one_sentence(sweep: Path, tmp_path: Path, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("finetuning.reporting.page.write_report", full)
    assert main([str(sweep)]) == 75
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize("break_it", ["no folder", "nothing in it", "damaged", "no predictions", "unknown baseline"])
def test_what_is_wrong_is_one_sentence(sweep: Path, tmp_path: Path, capsys, break_it: str):
    arguments = [str(sweep)]
    if break_it == "no folder":
        arguments = [str(tmp_path / "nowhere")]
    elif break_it == "nothing in it":
        arguments = [str(tmp_path / "task")]
    elif break_it == "damaged":
        next(sweep.rglob("result.json")).write_text("{}")
    elif break_it == "no predictions":
        for path in sweep.rglob("predictions-dev.jsonl"):
            path.unlink()
    else:
        arguments += ["--baseline", "nobody"]
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (sweep / "report.html").exists()


def test_the_share_of_rows_that_were_cut_stands_beside_the_score(tmp_path: Path, write_result: Callable[..., Path]):
    cut = {"rows": 1000, "tokens": 9000, "limit": 128, "longest": 300}
    train = {**cut, "truncated_rows": 15, "truncated_share": 0.015, "lost_tokens": 99}
    none = {**cut, "truncated_rows": 0, "truncated_share": 0.0, "lost_tokens": 0}
    for seed, truncation in ((1, {"train": train, "dev": none}), (2, {"train": none, "dev": none}), (3, {})):
        folder = tmp_path / str(seed)
        answer(write_result(folder / "run", truncation=truncation, seed=seed))
        report = build([folder])
        assert model(report, "a")["best_setting"]["truncation"].keys() == truncation.keys()
        cell = {1: "train 1.5 %", 2: "none", 3: "–"}[seed]
        text = render(report, "report.md")
        lines = text[: text.index("## All metrics")].splitlines()
        rows = [[part.strip() for part in line.split("|")] for line in lines if line.startswith("| cola")]
        headers = [[part.strip() for part in line.split("|")] for line in lines if line.startswith("| task")]
        assert [row[header.index("rows cut")] for header, row in zip(headers, rows, strict=True)] == [cell, cell]
        assert f"<td>{cell}</td>" in render(report, "report.html")


GOLD_OF_MANY = ["0", "1"] * 20


@pytest.fixture
def consistent(tmp_path: Path, write_result: Callable[..., Path]) -> Path:
    """Two rates, four seeds of SST-2 on 40 rows, whose prediction files score what the results say."""
    right = {(2e-5, seed): 30 + seed for seed in range(4)} | {(5e-5, seed): 33 - seed % 2 for seed in range(4)}
    for (rate, seed), count in right.items():
        fields: dict[str, Any] = {"learning_rate": rate, "seed": seed, "score": count / 40, "constant_score": 0.5}
        run = write_result(tmp_path / "sweep" / f"{rate}-{seed}", task="sst2", **fields)
        lines = [
            {"id": str(n), "label": gold, "prediction": gold if n < count else "01"[gold == "0"], "scores": {"0": 0.5}}
            for n, gold in enumerate(GOLD_OF_MANY)
        ]
        for line in lines:
            line["scores"] = {line["prediction"]: 0.5}
        (run / "predictions-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "sweep"


def cells(report: dict[str, Any], template: str = "report.md") -> dict[str, str]:
    """The first row of the first table, by column."""
    lines = [line for line in render(report, template).splitlines() if line.startswith("| ")]
    header, row = ([part.strip() for part in line.split("|")] for line in lines[:2])
    return dict(zip(header, row, strict=True))


def test_the_best_setting_allows_for_choice_seeds_and_rows(consistent: Path):
    report = build([consistent])
    best = model(report, "a")
    scores = [33 / 40, 32 / 40, 33 / 40, 32 / 40]
    assert best["best_setting"]["scores"] == scores
    assert best["chosen"]["settings"] == 2
    deviation = 0.0125 * (4 / 3) ** 0.5
    assert best["chosen"]["interval"]["high"] == pytest.approx(0.8125 + 3.1824 * deviation / 2, abs=1e-5)
    # t(1 - 0.025 / 2, 3) = 4.1765
    assert best["chosen"]["interval"]["low"] == pytest.approx(0.8125 - 4.1765 * deviation / 2, abs=1e-5)
    assert best["chosen"]["held_out_mean"] == pytest.approx(0.8125)  # the other seeds choose it each time
    assert best["allows_for"] == ["seeds", "choice of setting", "dev rows"]
    sampling = best["sampling"]
    assert sampling["error_of_seeds"]["value"] == pytest.approx(deviation / 2)
    assert 0.05 < sampling["error_of_examples"]["value"] < 0.08
    half = sampling["half_width_of_both"]
    assert best["interval"]["high"] == pytest.approx(0.8125 + half)
    assert best["interval"]["low"] < 0.8125 - half
    row = cells(report)
    low, high = 100 * best["interval"]["low"], 100 * best["interval"]["high"]
    assert row["95 % interval"] == f"[{low:.1f}, {high:.1f}] (seeds, choice of setting, dev rows)"
    assert row["held out"] == "81.2"
    widths = [100 * sampling[f"half_width_of_{what}"] for what in ("seeds", "examples", "both")]
    assert row["± seeds / rows / both"] == " / ".join(f"{width:.1f}" for width in widths)
    page = render(report, "report.html")
    assert f"<td>{row['± seeds / rows / both']}</td>" in page
    assert f"[{low:.1f}, {high:.1f}]" in page
    json.dumps(report, allow_nan=False)


def test_expected_bests_are_on_the_page(consistent: Path):
    report = build([consistent])
    for template in ("report.md", "report.html"):
        # of two runs from 32, 32, 33, 33: at least one 33 in three of four
        assert "2: 81.9" in render(report, template)


def test_every_column_is_explained(consistent: Path):
    report = build([consistent])
    for template in ("report.md", "report.html"):
        text = render(report, template)
        for what in (
            "mean ± sd",
            "95 % interval",
            "held out",
            "± seeds / rows / both",
            "expected best of n",
            "constant",
        ):
            assert text.count(what) >= 2, (template, what)
        assert "shared starts" not in text
        assert "earlier version" not in text


def test_no_interval_over_rows_says_why(sweep: Path):
    report = build([sweep])
    old = model(report, "old")
    assert (old["sampling"], old["allows_for"]) == (None, ["seeds", "choice of setting"])
    for template in ("report.md", "report.html"):
        text = render(report, template)
        assert "score 0.5000, its result says 0.71" in text
        assert "old: no interval over dev rows, as the predictions of" in " ".join(text.replace("polite, ", "").split())


def test_settings_that_were_given_up_count_as_tried(tmp_path: Path, write_result: Callable[..., Path]):
    for rate, seeds in ((2e-5, 3), (3e-5, 3), (4e-5, 1), (5e-5, 1)):
        for seed in range(seeds):
            answer(
                write_result(tmp_path / f"{rate}-{seed}", learning_rate=rate, seed=seed, score=rate * 1e4 + seed / 9)
            )
    best = model(build([tmp_path]), "a")
    assert best["chosen"]["settings"] == 4
    assert best["chosen"]["held_out_seeds"] == 3
    assert best["best_setting"]["learning_rate"] == 3e-5


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        ("diverged", "the loss stopped being finite"),
        ("constant", "every dev row got the same answer"),
        ("not above the best constant", "at or below the best constant answer"),
    ],
)
def test_the_reason_of_a_failure_is_on_the_page(tmp_path: Path, write_result: Callable[..., Path], failure, why):
    fields = {"failed_run": True, "failure": failure, "constant_score": 0.6}
    answer(write_result(tmp_path / "run", score=0.5, **fields))
    report = build([tmp_path])
    assert model(report, "a")["best_setting"]["failures"] == {failure: 1}
    assert report["tasks"][0]["constant_score"] == 0.6
    for template in ("report.md", "report.html"):
        assert f"50.0 (constant answer 60.0): {why}" in render(report, template)


def test_runs_that_rows_do_not_tell_from_a_constant_answer_are_marked(tmp_path: Path, write_result):
    for seed, interval in enumerate([(-0.01, 0.05), (0.01, 0.07)]):
        fields = {"seed": seed, "constant_score": 0.49, "above_constant": interval}
        answer(write_result(tmp_path / str(seed), score=0.51, **fields))
    report = build([tmp_path])
    (run,) = report["near_constant_runs"]
    assert Path(run["folder"]).name == "0"
    assert (report["failed_runs"], model(report, "a")["best_setting"]["near_constant"]) == ([], 1)
    for template in ("report.md", "report.html"):
        assert "51.0 (constant answer 49.0); the difference lies in [-1.00, 5.00]" in render(report, template)


def test_results_of_earlier_versions_are_read_and_told_apart(tmp_path: Path, write_result: Callable[..., Path]):
    """They have no reason of a failure, and were compared with training's commonest answer."""
    scores = {"above": (0.5, False), "below": (0.4, False), "diverged": (0.5, True)}
    for seed, (name, (score, diverged)) in enumerate(scores.items()):
        fields = {"seed": seed, "score": score, "diverged": diverged, "failed_run": name != "above"}
        run = answer(write_result(tmp_path / name, **fields))
        content = json.loads((run / "result.json").read_text())
        for new in ("constant_score", "failure", "above_constant"):
            del content[new]
        (run / "result.json").write_text(json.dumps(content))
    report = build([tmp_path])
    found = {Path(run["folder"]).name: run["failure"] for run in report["failed_runs"]}
    assert found == {"below": "not above the best constant", "diverged": "diverged"}
    assert (report["judged_by_majority"], report["tasks"][0]["constant_score"]) == (3, 0.4)
    for template in ("report.md", "report.html"):
        assert "3 runs were made by an earlier version" in render(report, template)


def test_runs_from_one_mnli_run_say_so(tmp_path: Path, write_result: Callable[..., Path]):
    for label in ("old", "new"):
        for seed in range(3):
            folder = tmp_path / label / f"{seed}-from-mnli"
            spec = {"model": f"{label}/mnli-best/model"}
            answer(write_result(folder, task="rte", seed=seed, score=0.6 + seed / 50, spec=spec))
    write_json(
        tmp_path / "sweep.json", SweepConfig(models={"old": "o", "new": "n"}, tasks=("rte",), output="x").model_dump()
    )
    report = build([tmp_path])
    row = model(report, "old")["best_setting"]
    assert row["starts"] == 1
    (comparison,) = report["comparisons"]
    for template in ("report.md", "report.html"):
        text = render(report, template)
        assert "all 3 runs start from one fine-tuned run (old/mnli-best)" in text
        assert "3 and 3 start from 1 and 1 fine-tuned runs" in text
        assert "shared starts" in text
    assert comparison["note"]


def test_what_so_few_seeds_can_show_is_on_the_page(tmp_path: Path, write_result: Callable[..., Path]):
    for label in ("a", "b", "c"):
        for seed in range(5):
            spec = {"model": f"models/{label}/export"}
            answer(write_result(tmp_path / f"{label}{seed}", seed=seed, score=0.5 + seed / 99, spec=spec))
    report = build([tmp_path])
    for row in report["comparisons"]:
        assert (row["smallest_p_value"], row["smallest_p_value_holm"]) == (0.0625, 0.125)
        assert row["seeds_needed"] == 7
        assert row["note"] == ""
    for template in ("report.md", "report.html"):
        assert "needs 7 seeds or more" in " ".join(render(report, template).split())
        assert "0.1250" in render(report, template)


def test_texts_of_errors_are_found_by_position(tmp_path: Path, write_result: Callable[..., Path]):
    """Where ids do not tell rows apart, and where malformed lines were passed over as in the run."""
    own = tmp_path / "own.toml"
    own.write_text(
        'kind = "classification"\nlabels = ["no", "yes"]\nmetric = "accuracy"\n'
        'columns = { text_a = "text", label = "label", id = "id" }\nsplits = { train = "d.csv", dev = "d.csv" }\n'
    )
    (tmp_path / "d.csv").write_text("id,text,label\n0,first,no\nbroken\n0,second,no\n")
    run = write_result(tmp_path / "run", task="own", spec={"task": str(own), "skip_malformed": True})
    line = json.dumps({"id": "0", "label": "no", "prediction": "yes", "scores": {"yes": 0.9}})
    (run / "predictions-dev.jsonl").write_text(f"{line}\n{line}\n")
    errors = model(build([run]), "a")["errors"]
    assert [error["text"] for error in errors["worst"]] == ["first", "second"]
    assert errors["note"] == ""


def test_rows_never_make_the_interval_narrower_than_seeds_alone(tmp_path: Path, write_result: Callable[..., Path]):
    for seed, count in enumerate((5, 12, 20, 30, 38)):
        run = write_result(tmp_path / str(seed), task="sst2", seed=seed, score=count / 40)
        lines = [
            {"id": str(n), "label": "1", "prediction": str(int(n < count)), "scores": {"0": 0.5, "1": 0.5}}
            for n in range(40)
        ]
        (run / "predictions-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    best = model(build([tmp_path]), "a")
    assert best["allows_for"] == ["seeds", "dev rows"]
    seeds, both = best["chosen"]["interval"], best["interval"]
    assert (both["low"], both["high"]) == pytest.approx((seeds["low"], seeds["high"]))
