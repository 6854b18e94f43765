"""The report as Markdown and as a page: what stands in each cell, and which parts there are."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.reporting.content import build
from finetuning.reporting.page import render, write_report

BOTH = ("report.md", "report.html")
INTERVAL = {"low": 0.7114, "high": 0.9}
SETTING = {
    "setting": "3e-05, batch 32",
    "summary": {"runs": 3, "best": 0.83, "median": 0.8126, "mean": 0.8124, "standard_deviation": 0.0144},
    "scores": [0.8, 0.8126, 0.83],
    "summary_without_failed": None,
    "expected_best": {"1": 0.8124, "2": 0.819, "5": 0.8261},
    "failed": 0,
    "stopped_early": 0,
    "starts": None,
    "start_note": "",
    "truncation": {},
    "metrics": {"accuracy": 0.8124, "f1": 0.5},
    "seconds_per_epoch": 1.25,
}
SETTING["summary"]["interval"] = {"low": 0.75, "high": 0.875}
MODEL = {
    "label": "a",
    "best_setting": SETTING,
    "settings": [SETTING],
    "interval": INTERVAL,
    "allows_for": ["seeds", "dev rows"],
    "chosen": {"settings": 1, "held_out_mean": 0.8124},
    "sampling": {"half_width_of_seeds": 0.0231, "half_width_of_examples": 0.121, "half_width_of_both": 0.1246},
    "sampling_note": "",
    "errors": {"wrong": 0, "rows": 4, "labels": [], "confusion": [], "worst": [], "note": ""},
    "all_metrics": [{"metric": "accuracy", "score": 0.8124, "published": []}],
}
LISTS = ("failed_runs", "near_constant_runs", "stopped_early_runs", "missing_runs")
REPORT = {
    "citation": "the paper",
    "interval": {"method": "t", "level": 0.95},
    "judged_by_majority": 0,
    "comparisons": [],
    **{name: [] for name in LISTS},
    "tasks": [
        {
            "task": "cola",
            "metric": "accuracy",
            "constant_score": 0.5,
            "train_rows": 10,
            "dev_rows": 4,
            "models": [MODEL],
            "published": [],
        }
    ],
}
COMPARISON = {
    **{"baseline": "a", "model": "b", "task": "cola", "seeds": 5, "pairs": 10, "mean_difference": 0.01234},
    **{"interval": {"low": -0.00321, "high": 0.02}, "wins": 4, "ties": 0, "losses": 1},
    **{"p_value": 0.125, "p_value_holm": 0.25, "smallest_p_value_holm": 0.125, "seeds_needed": 7, "note": ""},
}


def report_with(*place: str | int, value: Any) -> dict[str, Any]:
    """REPORT with another value at a place of its first task, model and best setting."""
    report = deepcopy(REPORT)
    parent: Any = report
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    return report


IN_MODEL = ("tasks", 0, "models", 0)
IN_SETTING = (*IN_MODEL, "settings", 0)  # the same object as the best setting


def table(report: dict[str, Any], heading: str) -> dict[str, str]:
    """The first row of the Markdown table below a heading, by column."""
    text = render(report, "report.md")
    lines = [line for line in text[text.index(f"# {heading}\n") :].splitlines() if line.startswith("| ")]
    header, row = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines[:2])
    return dict(zip(header, row, strict=True))


SCORES, SETTINGS, METRICS = "Fine-tuning report", "All settings", "All metrics"
ALL_RUNS, WITHOUT_FAILED = SETTING["summary"], (*IN_SETTING, "summary_without_failed")
ONE_METRIC = (*IN_MODEL, "all_metrics", 0)


@pytest.mark.parametrize(
    ("heading", "column", "place", "value", "cell"),
    [
        (SCORES, "mean ± sd", (), None, "81.2 ± 1.4"),
        (SCORES, "mean ± sd", (*IN_SETTING, "summary", "standard_deviation"), None, "81.2 ± –"),
        (SCORES, "95 % interval", (), None, "[71.1, 90.0] (seeds, dev rows)"),
        (SCORES, "95 % interval", (*IN_MODEL, "interval"), None, "–"),
        (SCORES, "held out", (), None, "81.2"),
        (SCORES, "held out", (*IN_MODEL, "chosen", "held_out_mean"), None, "–"),
        (SCORES, "± seeds / rows / both", (), None, "2.3 / 12.1 / 12.5"),
        (SCORES, "± seeds / rows / both", (*IN_MODEL, "sampling", "half_width_of_both"), None, "2.3 / 12.1 / –"),
        (SCORES, "± seeds / rows / both", (*IN_MODEL, "sampling"), None, "–"),
        (SCORES, "median", (), None, "81.3"),
        (SCORES, "constant", (), None, "50.0"),
        (SCORES, "model", (*IN_MODEL, "label"), "a |\n b", "a \\| b"),
        (SETTINGS, "mean ± sd [interval]", (), None, "81.2 ± 1.4 [75.0, 87.5]"),
        (SETTINGS, "mean ± sd [interval]", (*IN_SETTING, "summary", "interval"), None, "81.2 ± 1.4"),
        (SETTINGS, "expected best of n", (), None, "2: 81.9, 5: 82.6"),
        (SETTINGS, "expected best of n", (*IN_SETTING, "expected_best"), {"1": 0.8}, "–"),
        (SETTINGS, "without failed runs", (), None, "–"),
        (SETTINGS, "without failed runs", WITHOUT_FAILED, ALL_RUNS, "81.2 ± 1.4 [75.0, 87.5]"),
        (METRICS, "mean", (), None, "81.2"),
        (METRICS, "mean", (*ONE_METRIC, "metric"), "best_f1_threshold", "0.8124"),
        (METRICS, "mean", (*ONE_METRIC, "metric"), "mean_squared_error", "0.8124"),
        (METRICS, "mean", ONE_METRIC, {"metric": "x_error", "score": 1234.56, "published": []}, "1235"),
    ],
)  # fmt: skip
def test_cells(heading: str, column: str, place: tuple[str | int, ...], value: Any, cell: str) -> None:
    report = report_with(*place, value=value) if place else REPORT
    assert table(report, heading)[column] == cell


@pytest.mark.parametrize(
    ("cut", "cell"),
    [
        ({}, "–"),
        ({"dev": (0, 0.0)}, "none"),
        ({"train": (15, 0.0151), "dev": (0, 0.0), "test": (1, 0.3)}, "train 1.5 %, test 30 %"),
    ],
)
def test_rows_that_were_cut(cut: dict[str, tuple[int, float]], cell: str) -> None:
    truncation = {name: {"truncated_rows": rows, "truncated_share": share} for name, (rows, share) in cut.items()}
    report = report_with(*IN_SETTING, "truncation", value=truncation)
    assert table(report, SCORES)["rows cut"] == table(report, SETTINGS)["rows cut"] == cell
    assert render(report, "report.html").count(f"<td>{cell}</td>") >= 2


def test_a_comparison_has_two_digits() -> None:
    report = REPORT | {"comparisons": [COMPARISON]}
    row = table(report, "Paired comparison")
    assert (row["difference"], row["interval"]) == ("1.23", "[-0.32, 2.00]")
    assert (row["p"], row["p adjusted"], row["smallest, adjusted"]) == ("0.125", "0.250", "0.1250")
    assert "<td>[-0.32, 2.00]</td>" in render(report, "report.html")
    unknown = dict.fromkeys(("interval", "p_value", "p_value_holm", "smallest_p_value_holm"))
    row = table(REPORT | {"comparisons": [COMPARISON | unknown]}, "Paired comparison")
    assert [row[name] for name in ("interval", "p", "p adjusted", "smallest, adjusted")] == ["–"] * 4


RUN = {"folder": "f", "score": 0.3, "constant_score": 0.5, "why": "w", "after_epochs": 1, "epochs": 3.0}
LISTED = RUN | {
    **{"above_constant": {"low": -0.01, "high": 0.05}, "reason": "", "attempts": 1, "job": ""},
    **{"message": "", "last_line": "l", "log": "", "tail": ()},
}


@pytest.mark.parametrize(
    ("changes", "links"),
    [
        ({}, []),
        ({"comparisons": [COMPARISON]}, [("comparison", "Comparison")]),
        *(({name: [LISTED]}, [("runs", "Failed and other runs")]) for name in LISTS),
    ],
)
def test_the_page_leads_to_its_parts(changes: dict[str, Any], links: list[tuple[str, str]]) -> None:
    tasks = REPORT["tasks"] + [{**REPORT["tasks"][0], "task": "rte"}]
    page = render({**REPORT, "tasks": tasks, **changes}, "report.html")
    assert re.findall(r'<li><a href="#([^"]+)">([^<]+)</a></li>', page) == [
        ("scores", "Scores"),
        ("metrics", "All metrics"),
        *links,
        ("task-1", "cola"),
        ("task-2", "rte"),
        ("figures", "How the figures came to be"),
    ]
    assert all(f'id="{anchor}"' in page for anchor in re.findall(r'<li><a href="#([^"]+)"', page))
    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", page)
    by_setting = [f"{task}: accuracy by setting (percent)" for task in ("cola", "rte")]
    assert captions == ["Scores by task (percent)", *by_setting]


def test_nothing_is_left_empty_in_silence() -> None:
    for template in BOTH:
        with pytest.raises(Exception, match="citation"):
            render({name: value for name, value in REPORT.items() if name != "citation"}, template)


def test_markdown_is_escaped_for_tables_alone_and_the_page_for_browsers() -> None:
    report = report_with(*IN_MODEL, "label", value="a<b & c")
    assert "a<b & c" in render(report, "report.md")
    assert "a&lt;b &amp; c" in render(report, "report.html")
    assert "a<b" not in render(report, "report.html")


def test_lines_without_a_row_leave_no_gap_in_a_table() -> None:
    """Of two models the rows follow each other, or Markdown would end the table."""
    report = report_with("tasks", 0, "models", value=[MODEL, MODEL | {"label": "b"}])
    lines = render(report, "report.md").splitlines()
    first = lines.index(next(line for line in lines if line.startswith("| cola")))
    assert lines[first - 1].startswith("|---")
    assert lines[first + 1].startswith("| cola | accuracy | b |")


def test_the_three_files_say_the_same(tmp_path: Path) -> None:
    assert write_report(REPORT, tmp_path) == [tmp_path / name for name in ("report.json", "report.md", "report.html")]
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(REPORT))
    for name in BOTH:
        assert (tmp_path / name).read_text(encoding="utf-8") == render(REPORT, name)


def test_texts_of_a_sweep_are_no_markup(sweep: Path) -> None:
    report = build([sweep])
    page, text = render(report, "report.html"), render(report, "report.md")
    assert page.count('class="matrix"') == 2  # a model each
    assert "<b>please" not in page
    assert "<script" not in page
    assert "no \\| memory" in text
    for content in (page, text):
        assert "lr5e-05-batch32-epochs3-seed3" in content


def test_why_a_run_was_given_up_and_in_which_job_is_on_the_page() -> None:
    missing = {"reason": "out of memory", "attempts": 2, "message": "exit code 137: <b>", "job": "4711_3"}
    report = REPORT | {"missing_runs": [LISTED | missing | {"log": "x.txt", "tail": ("some lines", "no | memory")}]}
    assert "out of memory; 2 attempts, the last in job 4711_3; exit code 137" in render(report, "report.md")
    page = render(report, "report.html")
    assert "<b>out of memory</b>; 2 attempts, the last in job 4711_3; exit code 137: &lt;b&gt;" in page
    assert "some lines\nno | memory" in page


@pytest.mark.parametrize("template", BOTH)
def test_remarkable_runs_say_why(template: str) -> None:
    text = render(REPORT | {name: [LISTED] for name in LISTS}, template)
    assert "30.0 (constant answer 50.0): w" in text
    assert "30.0 (constant answer 50.0); the difference lies in [-1.00, 5.00]" in text
    assert "30.0 (constant answer 50.0) after 1 of 3 epochs" in text


@pytest.mark.parametrize("template", BOTH)
def test_notes_of_a_setting_and_of_its_rows(template: str) -> None:
    model = {**MODEL, "sampling_note": "there is only one dev row"}
    model["settings"] = [SETTING | {"start_note": "all 3 runs start from one"}]
    comparison = COMPARISON | {"note": "3 and 3 start from 1 and 1"}
    report = report_with("tasks", 0, "models", value=[model]) | {"comparisons": [comparison]}
    text = " ".join(render(report, template).replace("cola, ", "").split())
    assert "a, 3e-05, batch 32: all 3 runs start from one." in text
    assert "a: no interval over dev rows, as there is only one dev row." in text
    assert "b: 3 and 3 start from 1 and 1." in text
    assert "needs 7 seeds or more" in text


@pytest.mark.parametrize("template", BOTH)
def test_every_column_is_explained(template: str) -> None:
    text = render(REPORT, template)
    for what in ("mean ± sd", "95 % interval", "held out", "± seeds / rows / both", "expected best of n", "constant"):
        assert text.count(what) >= 2, what
    assert "2: 81.9, 5: 82.6" in text
    assert "shared starts" not in text
    assert "earlier version" not in text
    assert "3 runs were made by an earlier version" in render(REPORT | {"judged_by_majority": 3}, template)


def test_published_figures_stand_beside_with_their_source() -> None:
    figure = {"size": "Base", "split": "dev", "metric": "accuracy", "percent": 86.7, "table": 6, "source": "a paper"}
    figure["ours"] = "accuracy"
    report = report_with(*ONE_METRIC, "published", value=[figure, figure | {"split": "test"}])
    report["tasks"][0]["published"] = [figure, figure | {"size": "Large"}]
    assert table(report, SCORES)["paper"] == "Base dev accuracy 86.7; Large dev accuracy 86.7"
    beside = "Base dev accuracy 86.7 (a paper, table 6); Base test accuracy 86.7 (a paper, table 6)"
    assert table(report, METRICS)["published"] == beside
    page = render(report, "report.html")
    assert "Base dev accuracy 86.7 (table 6)<br>Large dev accuracy 86.7 (table 6)" in page
    assert "<br>".join(beside.split("; ")) in page


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FinetuningError):
        write_report(REPORT, tmp_path / "file")
