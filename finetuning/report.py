"""The report of a sweep: `report.html` with plots, `report.md` with the tables, `report.json` with every figure.

    python -m finetuning.report runs/sweep [runs/other …] [--output FOLDER] [--baseline LABEL] [--interval bootstrap]

Scores are those of the dev split after the last epoch, or after the one where a run was stopped early. The best setting
of a task is the one with the highest mean among those with the most seeds; it was chosen on the same dev split, so its
figures are somewhat too good.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jinja2

from finetuning.atomic_file import write_json, write_text
from finetuning.errors import FinetuningError, ended_by
from finetuning.reporting import plots
from finetuning.reporting.error_analysis import analyse
from finetuning.reporting.gather import FinishedRun, best_run, find_missing, find_runs
from finetuning.reporting.published import CITATION, published
from finetuning.reporting.significance import IntervalMethod, compare_paired, expected_best, holm, summarise


def build(folders: Sequence[Path], *, baseline: str | None = None, method: IntervalMethod = "t") -> dict[str, Any]:
    """Everything that the report says, as plain data; scores are fractions. FinetuningError when there are no runs."""
    runs = find_runs(folders)
    labels = list(dict.fromkeys(run.label for run in runs))
    if baseline is not None and baseline not in labels:
        raise FinetuningError(f"--baseline {baseline}: there are no runs of it, only of {', '.join(labels)}")
    tasks = list(dict.fromkeys(run.result.task for run in runs))
    return {
        "folders": [str(folder) for folder in folders],
        "interval": {"method": method, "level": 0.95},
        "models": labels,
        "tasks": [_task([run for run in runs if run.result.task == task], labels, method) for task in tasks],
        "failed_runs": [_failed(run) for run in runs if run.result.failed_run and not run.result.stopped_early],
        "stopped_early_runs": [_stopped(run) for run in runs if run.result.stopped_early],
        "missing_runs": [asdict(run) | {"folder": str(run.folder)} for run in find_missing(folders)],
        "comparisons": _comparisons(runs, labels, baseline or labels[0], method),
        "citation": CITATION,
    }


def _task(runs: list[FinishedRun], labels: Sequence[str], method: IntervalMethod) -> dict[str, Any]:
    first = runs[0].result
    models = []
    for label in labels:
        settings = []
        mine = [run for run in runs if run.label == label]
        for setting in sorted({run.setting for run in mine}):
            chosen = sorted((run for run in mine if run.setting == setting), key=lambda run: run.result.seed)
            settings.append(_setting(chosen, method))
        if settings:
            # Few seeds are often lucky ones, so a setting with fewer than the others does not compete.
            best = max(settings, key=lambda row: (row["summary"]["runs"], row["summary"]["mean"]))
            errors = asdict(analyse(best_run(mine)))
            models.append({"label": label, "best_setting": best, "settings": settings, "errors": errors})
    return {
        "task": first.task,
        "metric": first.metric,
        "majority_score": first.majority_score,
        "train_rows": first.train_rows,
        "dev_rows": first.dev_rows,
        "models": models,
        "published": [asdict(figure) for figure in published(first.task)],
    }


def _setting(runs: Sequence[FinishedRun], method: IntervalMethod) -> dict[str, Any]:
    scores = [run.result.score for run in runs]
    sound = [run.result.score for run in runs if not run.result.failed_run]
    return {
        "setting": runs[0].setting_text,
        "learning_rate": runs[0].result.learning_rate,
        "batch_size": runs[0].result.batch_size,
        "epochs": runs[0].result.epochs,
        "from_mnli": runs[0].from_mnli,
        "options": list(runs[0].options),
        "seeds": [run.result.seed for run in runs],
        "scores": scores,
        "summary": asdict(summarise(scores, method=method)),
        "summary_without_failed": asdict(summarise(sound, method=method)) if 0 < len(sound) < len(scores) else None,
        "expected_best": {str(tries): expected_best(scores, tries) for tries in (1, 2, 5, 10) if tries <= len(scores)},
        "failed": len(scores) - len(sound),
        "stopped_early": sum(run.result.stopped_early for run in runs),
        "metrics": {name: _mean([run.result.metrics[name] for run in runs]) for name in runs[0].result.metrics},
        "seconds_per_epoch": _mean([run.result.seconds_per_epoch for run in runs]),
    }


def _named(run: FinishedRun) -> dict[str, Any]:
    """What a list of remarkable runs says of each."""
    result = run.result
    return {
        "folder": str(run.folder),
        "task": result.task,
        "score": result.score,
        "majority_score": result.majority_score,
    }


def _failed(run: FinishedRun) -> dict[str, Any]:
    why = "the loss stopped being finite" if run.result.diverged else "at or below the constant answer"
    return _named(run) | {"why": why}


def _stopped(run: FinishedRun) -> dict[str, Any]:
    return _named(run) | {"after_epochs": run.result.spec.stop_failed_after, "epochs": run.result.epochs}


def _comparisons(
    runs: Sequence[FinishedRun], labels: Sequence[str], baseline: str, method: IntervalMethod
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for label in labels:
        if label == baseline:
            continue
        for task in dict.fromkeys(run.result.task for run in runs):
            first, second = (
                {
                    (run.setting, run.result.seed): run.result.score
                    for run in runs
                    if run.label == name and run.result.task == task
                }
                for name in (baseline, label)
            )
            if first.keys() & second.keys():
                comparison = asdict(compare_paired(first, second, method=method))
                rows.append({"baseline": baseline, "model": label, "task": task, **comparison})
    tested = [row for row in rows if row["p_value"] is not None]
    for row, adjusted in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_value_holm"] = adjusted
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def render(report: Mapping[str, Any], template: str) -> str:
    """The report as a page (`report.html`) or as Markdown (`report.md`)."""
    environment = jinja2.Environment(
        autoescape=template.endswith(".html"), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "summary": _summary_text, "cell": _cell}
    drawn: dict[str, Any] = {}
    if template.endswith(".html"):
        for task in report["tasks"]:
            drawn[task["task"]] = {
                "scores": _scores_plot(task),
                "confusion": {
                    model["label"]: plots.confusion(model["errors"]["labels"], model["errors"]["confusion"])
                    for model in task["models"]
                    if model["errors"]["labels"]
                },
            }
    source = files("finetuning.reporting").joinpath("templates", template).read_text(encoding="utf-8")
    return environment.from_string(source).render(report=report, plots=drawn)


def _scores_plot(task: Mapping[str, Any]) -> str:
    scores = {m["label"]: {row["setting"]: row["scores"] for row in m["settings"]} for m in task["models"]}
    paper = {
        f"BERT-{figure['size']} in the paper ({figure['split']})": figure["percent"]
        for figure in task["published"]
        if figure["metric"] == task["metric"]
    }
    return plots.scores_by_setting(scores, task["majority_score"], paper, task["metric"])


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}"


def _summary_text(summary: Mapping[str, Any]) -> str:
    text = f"{_percent(summary['mean'])} ± {_percent(summary['standard_deviation'])}"
    interval = summary["interval"]
    return f"{text} [{_percent(interval['low'])}, {_percent(interval['high'])}]" if interval else text


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")  # a Markdown table ends a cell at '|' and a row at a line


def write_report(report: Mapping[str, Any], output: Path) -> list[Path]:
    """Writes the three files into `output`."""
    paths = [write_json(output / "report.json", report)]
    for name in ("report.md", "report.html"):
        paths.append(write_text(output / name, render(report, name)))
    return paths


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m finetuning.report", description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="sweeps or single runs")
    parser.add_argument("--output", type=Path, help="where the report goes; default: the first folder")
    parser.add_argument("--baseline", help="label of the model to compare the others with; default: the first")
    parser.add_argument(
        "--interval", choices=get_args(IntervalMethod), default="t", help="method of the 95%% intervals"
    )
    arguments = parser.parse_args(argv)
    output = arguments.output or arguments.folders[0]
    try:
        report = build(arguments.folders, baseline=arguments.baseline, method=arguments.interval)
        paths = write_report(report, output)
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.report")
    for path in paths:
        print(path)
    if report["missing_runs"]:
        print(
            f"{len(report['missing_runs'])} runs of the sweep have no result yet; the report lists them",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
