"""Plots of the fine-tuning report: scores in percent as dots with whiskers, beside what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pages.intervals import Estimate, Reference, Row, intervals

CONSTANT = "the best constant answer"
Task = Mapping[str, Any]


def overview(tasks: Sequence[Task]) -> Markup:
    """A row a task: of each model the mean of its best setting with its interval, and the published figures."""
    rows = []
    for task in tasks:
        estimates = []
        for number, model in enumerate(task["models"]):
            mean = model["best_setting"]["summary"]["mean"]
            estimates.append(Estimate(model["label"], 100 * mean, _interval(model["interval"]), series=number))
        splits = ", ".join(dict.fromkeys(figure["split"] for figure in _published(task)))
        rows.append(
            Row(task["task"], estimates, _references(task), task["metric"] + (f"; paper: {splits}" if splits else ""))
        )
    note = (
        "Dots: means of the best settings; whiskers: 95 % intervals. Of the paper the figures on dev, or where it has "
        "none those on test. The tables below have the numbers."
    )
    return intervals("Scores by task (percent)", rows, note=note)


def scores_by_setting(task: Task) -> Markup:
    """A row a model and setting: a ring a seed, the mean as a dot, its interval as whiskers."""
    rows = []
    for number, model in enumerate(task["models"]):
        for row in model["settings"]:
            summary = row["summary"]
            scores = [100 * score for score in row["scores"]]
            found = Estimate(model["label"], 100 * summary["mean"], _interval(summary["interval"]), scores, number)
            rows.append(Row(model["label"], [found], _references(task), row["setting"]))
    note = "Rings: seeds; dots: their means; whiskers: 95 % intervals of the setting alone."
    return intervals(f"{task['task']}: {task['metric']} by setting (percent)", rows, note=note)


def _interval(found: Mapping[str, float] | None) -> tuple[float, float] | None:
    return None if found is None else (100 * found["low"], 100 * found["high"])


def _references(task: Task) -> list[Reference]:
    published = [
        Reference(
            f"BERT-{figure['size']} in the paper", figure["percent"], "hollow" if figure["size"] == "Base" else "full"
        )
        for figure in _published(task)
    ]
    return [Reference(CONSTANT, 100 * task["constant_score"], "dash"), *published]


def _published(task: Task) -> list[Mapping[str, Any]]:
    """The published figures of the task's main metric, of each size those on dev where there are any."""
    found = [figure for figure in task["published"] if figure["ours"] == task["metric"]]
    on_dev = {figure["size"] for figure in found if figure["split"] == "dev"}
    return [figure for figure in found if figure["split"] == "dev" or figure["size"] not in on_dev]
