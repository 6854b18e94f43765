"""The demo's one page: what happened from raw text to scores, in `report.html` and `summary.json`.

Everything is read from what the stages left behind; nothing is computed here but means and spreads.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.stages.chain import Marker, Stage

_PAGES = {"data": "shards/report.html", "phase1": "phase1/report.html", "phase2": "phase2/report.html"}
_STARTS = {"pretrained": "pretrained weights", "random": "random weights", "bag_of_words": "bag of words"}


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
    bag = [_read(file) for file in sorted((folder / "bag_of_words").rglob("result.json"))]
    if not all(scores.values()):
        raise ClusterError(f"{folder / 'finetuning'} lacks the runs of one of the two models; delete it and run again")
    if bag:
        scores["bag_of_words"] = [{"seed": run["seed"], "score": run["score"]} for run in bag]
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
    scores = {name: [run["score"] for run in runs] for name, runs in summary["task_scores"].items()}
    return "\n".join(
        [
            f"held-out MLM accuracy  {summary['mlm_accuracy_start']:.3f} -> {summary['mlm_accuracy_end']:.3f}",
            f"held-out loss          {summary['loss_start']:.3f} -> {summary['loss_end']:.3f}",
            f"held-out NSP accuracy  {summary['nsp_accuracy_start']:.3f} -> {summary['nsp_accuracy_end']:.3f}",
            f"task, pretrained       {spread(scores['pretrained'])}",
            f"task, random weights   {spread(scores['random'])}",
            *([f"task, bag of words     {spread(scores['bag_of_words'])}"] if "bag_of_words" in scores else []),
            f"seconds                {summary['seconds']['total']:.0f}",
        ]
    )


def spread(scores: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    deviation = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.3f}{deviation} over {len(scores)} seeds"


def _render(folder: Path, summary: dict[str, Any], stages: Sequence[Stage], markers: Mapping[str, Marker]) -> str:
    from pages import render

    gaps = _gaps(folder / "fill_mask.json")
    sections = [("text", "Text"), ("pretraining", "Pretraining"), ("fine-tuning", "Fine-tuning"), ("stages", "Stages")]
    values = {
        "summary": summary,
        "data": _read(folder / "shards" / "report.json"),
        "spreads": {name: spread([run["score"] for run in runs]) for name, runs in summary["task_scores"].items()},
        "stages": [
            {
                "title": stage.title,
                "seconds": markers[stage.name].seconds,
                "attempts": markers[stage.name].attempts,
                "command": " ".join(_without_folder(word) for word in stage.command),
            }
            for stage in stages
        ],
        "curves": _curves(folder),
        "scores": _scores(summary),
        "gaps": gaps,
        "sections": [("gaps", "Fill the gap"), *sections] if gaps else sections,
        "pages": {name: path for name, path in _PAGES.items() if (folder / path).exists()},
    }
    return render("cluster.demo", "demo.html", values)


def _gaps(file: Path) -> list[dict[str, Any]]:
    """Sentences with a gap and what the model would put there, most probable first; empty where the file is not there.

    `before` is None where the answers of the untrained model are not in it. ClusterError where it is no such file.
    """
    if not file.is_file():
        return []

    def answers(of: Any) -> list[tuple[str, float]]:
        found = [(str(one["word"]), float(one["probability"])) for one in of]
        if not all(0 <= probability <= 1 for _, probability in found):
            raise ValueError("a probability is not between 0 and 1")
        return sorted(found, key=lambda answer: -answer[1])

    try:
        return [
            {
                "parts": str(row["sentence"]).split("[MASK]"),
                "answers": answers(row["answers"]),
                "before": answers(row["before"]) if row.get("before") else None,
            }
            for row in _read(file)
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClusterError(
            f"{file} is no list of sentences with their answers ({error}); delete it and run again"
        ) from error


def _without_folder(word: str) -> str:
    """A program's name without the folder of the virtual environment."""
    return Path(word).name if word.startswith("/") else word


def _curves(folder: Path) -> Sequence[str]:
    """Training loss and MLM accuracy over both phases, held-out figures as points: a chart each, safe as HTML."""
    from pages.curves import Curve, Moment, curves
    from pages.scales import in_percent, short

    charts = []
    for caption, key, written in (
        ("Loss (nats)", "loss", short),
        ("Accuracy on masked pieces", "mlm_accuracy", in_percent),
    ):
        drawn, held_out, moments, offset = [], [], [], 0
        for phase, label in (("phase1", "phase 1, training"), ("phase2", "phase 2, training")):
            steps = [line for line in _lines(folder / phase) if "event" not in line]
            drawn.append(Curve(label, [(offset + line["step"], line[key]) for line in steps]))
            held_out += [(offset + line["step"], line[key]) for line in _evaluations(folder / phase)]
            if phase == "phase2":
                moments.append(Moment(offset, "phase 2 begins"))
            offset += steps[-1]["step"] if steps else 0
        drawn.append(Curve("held out", held_out, dots=True))
        charts.append(curves(caption, drawn, moments=moments, written=written))
    return charts


def _scores(summary: Mapping[str, Any]) -> str:
    """The task's scores: a ring a seed, the mean as a dot."""
    from pages.intervals import Estimate, Reference, Row, intervals

    constant = Reference("always the commonest label", summary["task_majority_score"], "dash")
    rows = []
    for number, (name, runs) in enumerate(summary["task_scores"].items()):
        scores = [run["score"] for run in runs]
        estimate = Estimate(name.replace("_", " "), statistics.mean(scores), None, scores, number)
        rows.append(Row(_STARTS[name], [estimate], [constant], f"{len(scores)} seeds"))
    note = "Rings: seeds; dots: their means."
    return intervals(f"The task's scores ({summary['task_metric']})", rows, note=note)


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
