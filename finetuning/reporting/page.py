"""The report as a page, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

import pages
from finetuning.atomic_file import write_json, write_text
from finetuning.reporting import plots
from finetuning.reporting.explanations import explanations


def render(report: Mapping[str, Any], template: str) -> str:
    """The report as a page (`report.html`) or as Markdown (`report.md`)."""
    values = {"report": report, "explanations": explanations(report)}
    if template.endswith(".html"):
        values["overview"] = plots.overview(report["tasks"])
        values["plots"] = {task["task"]: plots.scores_by_setting(task) for task in report["tasks"]}
        values["sections"] = _sections(report)
        return pages.render("finetuning.reporting", template, values, _FILTERS)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
    environment.filters |= _FILTERS
    source = files("finetuning.reporting").joinpath("templates", template).read_text(encoding="utf-8")
    return environment.from_string(source).render(values)


def _sections(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("scores", "Scores"), ("metrics", "All metrics")]
    if report["comparisons"]:
        found.append(("comparison", "Comparison"))
    if any(report[name] for name in ("failed_runs", "near_constant_runs", "stopped_early_runs", "missing_runs")):
        found.append(("runs", "Failed and other runs"))
    found += [(f"task-{number}", task["task"]) for number, task in enumerate(report["tasks"], 1)]
    return [*found, ("figures", "How the figures came to be")]


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}"


def _summary_text(summary: Mapping[str, Any]) -> str:
    interval = summary["interval"]
    return f"{_spread(summary)} {_interval_text(interval)}" if interval else _spread(summary)


def _spread(summary: Mapping[str, Any]) -> str:
    return f"{_percent(summary['mean'])} ± {_percent(summary['standard_deviation'])}"


def _interval_text(interval: Mapping[str, Any] | None, digits: int = 1) -> str:
    return "–" if interval is None else f"[{_percent(interval['low'], digits)}, {_percent(interval['high'], digits)}]"


def _widths(sampling: Mapping[str, Any] | None) -> str:
    """Half the widths of the intervals over seeds, over dev rows and over both."""
    if sampling is None:
        return "–"
    return " / ".join(_percent(sampling[f"half_width_of_{what}"]) for what in ("seeds", "examples", "both"))


def _expected(expected_best: Mapping[str, float]) -> str:
    """Of each number of runs but one, whose best is the mean."""
    return ", ".join(f"{tries}: {_percent(score)}" for tries, score in expected_best.items() if tries != "1") or "–"


def _cut(setting: Mapping[str, Any]) -> str:
    """Share of rows that lost tokens in each split, or that none did."""
    truncation = setting["truncation"]
    if not truncation:
        return "–"
    cut = {name: counts["truncated_share"] for name, counts in truncation.items() if counts["truncated_rows"]}
    return ", ".join(f"{name} {100 * share:.2g} %" for name, share in cut.items()) or "none"


def _metric(row: Mapping[str, Any]) -> str:
    """A score in percent; a threshold or an error of its own unit as it is."""
    if row["metric"].endswith(("_threshold", "_error")):
        return f"{row['score']:.4g}"
    return _percent(row["score"])


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")  # a Markdown table ends a cell at '|' and a row at a line


_FILTERS: dict[str, Any] = {
    "percent": _percent,
    "summary": _summary_text,
    "cell": _cell,
    "cut": _cut,
    "metric": _metric,
    "interval": _interval_text,
    "widths": _widths,
    "expected": _expected,
    "spread": _spread,
}


def write_report(report: Mapping[str, Any], output: Path) -> list[Path]:
    """Writes the three files into `output`."""
    paths = [write_json(output / "report.json", report)]
    for name in ("report.md", "report.html"):
        paths.append(write_text(output / name, render(report, name)))
    return paths
