"""``report.html`` and ``report.json``: what happened in a run, from its metrics, and beside it what its shards say."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pages import render
from pages.curves import MOST_POINTS, Curve, Level, Moment, curves
from pages.scales import in_percent, short
from preprocessing.atomic_file import write_text
from pretraining.configuration.tables import Recipe
from pretraining.data.unigram import Unigram, unigram
from pretraining.model.config import BertConfig
from pretraining.planning.memory import parameter_count
from pretraining.run.metrics import read_metrics
from pretraining.run.trainer_state import dump

_PACKAGES = ("torch", "deepspeed", "numpy", "pyarrow")
_MOMENTS = {"resumed": "resumed", "rewind": "went back"}
_SMALL = (
    ("Learning rate", "learning_rate"),
    ("Norm of the gradient", "gradient_norm"),
    ("Real tokens per second", "tokens_per_second"),
)
Lines = Sequence[dict[str, Any]]


def write_report(folder: Path, recipe: Recipe, model: BertConfig, ranks: int) -> None:
    """Writes both files into a run's folder; needs its ``metrics.jsonl``."""
    lines = read_metrics(folder / "metrics.jsonl")
    steps = [line for line in lines if "event" not in line]
    evaluations = [line for line in lines if line.get("event") == "evaluation"]
    summary = summarise(steps, evaluations, recipe, model, ranks)
    data = recipe.data
    values = {
        "summary": summary,
        "evaluations": _first_and_last(evaluations),
        "all_evaluations": evaluations,
        "large": _large(lines, unigram(data.shards, data.sequence_length, data.weights)),
        "small": [curves(title, [_curve(title, steps, key)], small=True) for title, key in _SMALL],
        "thinned": len(steps) > MOST_POINTS,
        "happened": list(_happened(lines)),
        "recipe": recipe.model_dump_json(indent=2, by_alias=True),
        "sections": [("held-out", "Held-out figures"), ("curves", "Curves"), ("means", "Means"), ("recipe", "Recipe")],
    }
    write_text(folder / "report.html", render("pretraining.run", "report.html", values))
    write_text(folder / "report.json", dump({"summary": summary, "evaluations": evaluations, "steps": steps}))


def summarise(
    steps: Lines,
    evaluations: Lines,
    recipe: Recipe,
    model: BertConfig,
    ranks: int,
) -> dict[str, Any]:
    """The figures of the page's first lines."""
    last = steps[-1] if steps else {"step": 0, "tokens": 0, "sequences": 0, "seconds": 0.0}
    held_out = _of_all(evaluations)
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


def _means(steps: Lines) -> dict[str, str]:
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


def _of_all(evaluations: Lines) -> list[dict[str, Any]]:
    return [line for line in evaluations if line["source"] == "all"]


def _first_and_last(evaluations: Lines) -> list[dict[str, Any]]:
    wanted = {line["step"] for line in (*evaluations[:1], *evaluations[-1:])}
    return [line for line in evaluations if line["step"] in wanted]


def _large(lines: Lines, frequencies: Unigram | None) -> list[Markup]:
    """Loss and accuracy, with what frequency alone comes to, and where the run resumed or went back."""
    steps = [line for line in lines if "event" not in line]
    held_out = _of_all([line for line in lines if line.get("event") == "evaluation"])
    moments = [Moment(line["step"], _MOMENTS[line["event"]]) for line in lines if line.get("event") in _MOMENTS]
    by_loss = [Level("by frequency alone", frequencies.loss)] if frequencies else []
    by_accuracy = [Level("always the commonest piece", frequencies.accuracy)] if frequencies else []
    loss = [_curve("training", steps, "mlm_loss"), _curve("held out", held_out, "mlm_loss", dots=True)]
    accuracy = [
        _curve("masked pieces, training", steps, "mlm_accuracy"),
        _curve("next sentence, training", steps, "nsp_accuracy"),
        _curve("masked pieces, held out", held_out, "mlm_accuracy", dots=True),
        _curve("next sentence, held out", held_out, "nsp_accuracy", dots=True),
    ]
    return [
        curves("Masked-token loss (nats)", loss, levels=by_loss, moments=moments, written=short),
        curves("Accuracy", accuracy, levels=by_accuracy, moments=moments, written=in_percent),
    ]


def _curve(label: str, lines: Lines, key: str, *, dots: bool = False) -> Curve:
    found = [line for line in lines if line.get(key) is not None]
    points = [(float(line["step"]), float(line[key])) for line in found]
    return Curve(label, points, dots, [line.get(f"{key}_error") for line in found] if dots else ())


def _happened(lines: Lines) -> Iterator[tuple[int, str, str]]:
    """(Step, what, which): each once, however often a start says it again."""
    seen = set()
    for line in lines:
        if line.get("event") in ("resumed", "resumed with other settings", "rewind", "remark"):
            detail = line.get("settings") or line.get("why") or line.get("sentence") or ""
            text = detail if isinstance(detail, str) else json.dumps(detail)
            if line["event"] != "remark" or text not in seen:
                yield line["step"], line["event"], text
            seen.add(text)
