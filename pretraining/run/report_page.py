"""``report.html`` and ``report.json``: what happened in a run, from its metrics alone."""

import io
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from preprocessing.atomic_file import write_text
from pretraining.configuration.tables import Recipe
from pretraining.model.config import BertConfig
from pretraining.planning.memory import parameter_count
from pretraining.run.metrics import read_metrics
from pretraining.run.trainer_state import dump

_PACKAGES = ("torch", "deepspeed", "numpy", "pyarrow")
# Title and, for each curve: label, key of the training lines, key of the evaluation lines.
_CHARTS: tuple[tuple[str, tuple[tuple[str, str | None, str | None], ...]], ...] = (
    ("Loss (nats)", (("training", "loss", None), ("held out", None, "loss"))),
    (
        "Accuracy",
        (
            ("MLM, training", "mlm_accuracy", None),
            ("MLM, held out", None, "mlm_accuracy"),
            ("NSP, training", "nsp_accuracy", None),
            ("NSP, held out", None, "nsp_accuracy"),
        ),
    ),
    ("Learning rate", (("learning rate", "learning_rate", None),)),
    ("Real tokens per second", (("tokens per second", "tokens_per_second", None),)),
)


def write_report(folder: Path, recipe: Recipe, model: BertConfig, ranks: int) -> None:
    """Writes both files into a run's folder; needs its ``metrics.jsonl``."""
    lines = read_metrics(folder / "metrics.jsonl")
    steps = [line for line in lines if "event" not in line]
    evaluations = [line for line in lines if line.get("event") == "evaluation"]
    summary = summarise(steps, evaluations, recipe, model, ranks)
    environment = Environment(loader=PackageLoader("pretraining.run"), autoescape=True)
    page = environment.get_template("report.html").render(
        summary=summary,
        evaluations=_first_and_last(evaluations),
        charts=[(title, _chart(title, curves, steps, evaluations)) for title, curves in _CHARTS],
        recipe=recipe.model_dump_json(indent=2, by_alias=True),
    )
    write_text(folder / "report.html", page)
    write_text(folder / "report.json", dump({"summary": summary, "evaluations": evaluations, "steps": steps}))


def summarise(
    steps: Sequence[dict[str, Any]],
    evaluations: Sequence[dict[str, Any]],
    recipe: Recipe,
    model: BertConfig,
    ranks: int,
) -> dict[str, Any]:
    """The figures of the page's first lines."""
    last = steps[-1] if steps else {"step": 0, "tokens": 0, "sequences": 0, "seconds": 0.0}
    held_out = [line for line in evaluations if line["source"] == "all"]
    return {
        "step": last["step"],
        "steps": recipe.training.steps,
        "tokens": last["tokens"],
        "sequences": last["sequences"],
        "seconds": last["seconds"],
        "duration": str(timedelta(seconds=round(last["seconds"]))),
        "ranks": ranks,
        "stage": recipe.stage,
        "precision": recipe.training.precision,
        "parameters": f"{parameter_count(model):,}",
        "held_out_first": held_out[0] if held_out else None,
        "held_out_last": held_out[-1] if held_out else None,
        "means": _means(steps),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _means(steps: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Means over logged steps, the first one (start-up) left out where there are more."""
    steady = steps[1:] or steps
    formats = {
        "tokens_per_second": "{:,.0f}",
        "filler_share": "{:.2%}",
        "padding_avoided_share": "{:.2%}",
        "data_wait_share": "{:.3%}",
        "mfu": "{:.1%}",
        "seconds_per_step": "{:.3f}",
    }
    means = {}
    for name, form in formats.items():
        values = [line[name] for line in steady if line.get(name) is not None]
        if values:
            means[name.replace("_", " ")] = form.format(sum(values) / len(values))
    return means


def _first_and_last(evaluations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = {line["step"] for line in (*evaluations[:1], *evaluations[-1:])}
    return [line for line in evaluations if line["step"] in wanted]


def _chart(
    title: str,
    curves: Sequence[tuple[str, str | None, str | None]],
    steps: Sequence[dict[str, Any]],
    evaluations: Sequence[dict[str, Any]],
) -> str:
    """One chart as inline SVG, with text as text; the same bytes for the same figures."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for label, training_key, evaluation_key in curves:
        if training_key is not None:
            lines, key, style = steps, training_key, "-"
        else:
            lines, key, style = [line for line in evaluations if line["source"] == "all"], str(evaluation_key), "o--"
        points = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=label, linewidth=1.2, markersize=4)
    axes.set_title(title)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
