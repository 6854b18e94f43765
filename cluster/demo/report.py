"""The demo's one page: what happened from raw text to scores, in `report.html` and `summary.json`.

Everything is read from what the stages left behind; nothing is computed here but means and spreads.
"""

import base64
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from cluster.demo.chain import Marker, Stage
from cluster.errors import ClusterError


def write_report(folder: Path, stages: Sequence[Stage], markers: Mapping[str, Marker]) -> str:
    """Write `report.html` and `summary.json` into `folder`; a few lines for the terminal."""
    from preprocessing.atomic_file import write_text

    summary = summarise(folder, markers)
    page = _render(folder, summary, stages, markers)
    write_text(folder / "report.html", page)
    write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")
    return _few_lines(summary)


def summarise(folder: Path, markers: Mapping[str, Marker]) -> dict[str, Any]:
    """The demo's figures as plain data: accuracies and scores are fractions, losses nats. Held-out figures of length
    128 are those before the first step of phase 1 and after the last one of phase 2, on the same examples."""
    first = _evaluations(folder / "phase1")[0]
    last = _read(folder / "evaluation-128.json")["all"]
    runs = [_read(file) for file in sorted((folder / "finetuning").rglob("result.json"))]
    scores: dict[str, list[dict[str, Any]]] = {"pretrained": [], "random": []}
    for run in runs:
        scores["random" if run["model"].startswith("random:") else "pretrained"].append(
            {"seed": run["seed"], "score": run["score"]}
        )
    if not all(scores.values()):
        raise ClusterError(f"{folder / 'finetuning'} lacks the runs of one of the two models; delete it and run again")
    summary: dict[str, Any] = {
        "mlm_accuracy_start": first["mlm_accuracy"],
        "mlm_accuracy_end": last["mlm_accuracy"],
        "nsp_accuracy_start": first["nsp_accuracy"],
        "nsp_accuracy_end": last["nsp_accuracy"],
        "loss_start": first["loss"],
        "loss_end": last["loss"],
        "task_score_pretrained": statistics.mean(run["score"] for run in scores["pretrained"]),
        "task_score_random": statistics.mean(run["score"] for run in scores["random"]),
        "task_metric": runs[0]["metric"],
        "task_majority_score": runs[0]["majority_score"],
        "task_scores": scores,
        "task_train_rows": runs[0]["train_rows"],
        "task_dev_rows": runs[0]["dev_rows"],
        "held_out_examples": last["sequences"],
        "held_out_at_512": _read(folder / "evaluation-512.json")["all"],
        "seconds": {name: marker.seconds for name, marker in markers.items()},
    }
    summary["seconds"]["total"] = round(sum(summary["seconds"].values()), 2)
    return summary


def _few_lines(summary: Mapping[str, Any]) -> str:
    pretrained, random = ([run["score"] for run in summary["task_scores"][name]] for name in ("pretrained", "random"))
    return "\n".join(
        [
            f"held-out MLM accuracy  {summary['mlm_accuracy_start']:.3f} -> {summary['mlm_accuracy_end']:.3f}",
            f"held-out loss          {summary['loss_start']:.3f} -> {summary['loss_end']:.3f}",
            f"held-out NSP accuracy  {summary['nsp_accuracy_start']:.3f} -> {summary['nsp_accuracy_end']:.3f}",
            f"task, pretrained       {spread(pretrained)}",
            f"task, random weights   {spread(random)}",
            f"seconds                {summary['seconds']['total']:.0f}",
        ]
    )


def spread(scores: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    deviation = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.3f}{deviation} over {len(scores)} seeds"


def _render(folder: Path, summary: dict[str, Any], stages: Sequence[Stage], markers: Mapping[str, Marker]) -> str:
    import jinja2

    data = _read(folder / "shards" / "report.json")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(
        files("cluster.demo").joinpath("templates/demo.html").read_text(encoding="utf-8")
    )
    return template.render(
        summary=summary,
        spread=spread,
        data=data,
        stages=[
            {
                "title": stage.title,
                "seconds": markers[stage.name].seconds,
                "attempts": markers[stage.name].attempts,
                "command": " ".join(_without_folder(word) for word in stage.command),
            }
            for stage in stages
        ],
        curves=_curves(folder),
        pages=[
            (name, f"{path}")
            for name, path in (
                ("data report", "shards/report.html"),
                ("phase 1", "phase1/report.html"),
                ("phase 2", "phase2/report.html"),
            )
            if (folder / path).exists()
        ],
    )


def _without_folder(word: str) -> str:
    """A program's name without the folder of the virtual environment."""
    return Path(word).name if word.startswith("/") else word


def _curves(folder: Path) -> str:
    """Training loss and MLM accuracy over both phases, held-out figures as points: a picture as a data address."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    offset = 0
    for phase in ("phase1", "phase2"):
        lines = _lines(folder / phase)
        steps = [line for line in lines if "event" not in line]
        held_out = _evaluations(folder / phase)
        for axis, key, label in zip(axes, ("loss", "mlm_accuracy"), ("loss (nats)", "MLM accuracy"), strict=True):
            axis.plot(
                [offset + line["step"] for line in steps], [line[key] for line in steps], label=f"{phase}, training"
            )
            axis.plot(
                [offset + line["step"] for line in held_out],
                [line[key] for line in held_out],
                "o",
                color="black",
                label="held out" if phase == "phase1" else None,
            )
            axis.set(xlabel="step", ylabel=label)
            axis.grid(alpha=0.3)
        offset += steps[-1]["step"] if steps else 0
    axes[0].legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    pyplot.close(figure)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _lines(run: Path) -> list[dict[str, Any]]:
    text = (run / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _evaluations(run: Path) -> list[dict[str, Any]]:
    """Held-out figures over all sources, in order."""
    found = [line for line in _lines(run) if line.get("event") == "evaluation" and line["source"] == "all"]
    if not found:
        raise ClusterError(f"{run / 'metrics.jsonl'} has no held-out evaluation; too little text was held out")
    return found


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
