"""The figures of a reproduction side by side: `results.json` for scripts, `results.md` to read.

Everything is read from what the stages left; nothing is computed here but means and spreads over seeds. The statistics
of the scores, with their intervals, are in the page that the sweep writes.
"""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.stages.chain import Marker

BAG = "bag of words"


def write_results(folder: Path, markers: Mapping[str, Marker]) -> str:
    """Write both files into `folder`; returns the text."""
    from preprocessing.atomic_file import write_text

    found = gather(folder, markers)
    text = as_markdown(found)
    write_text(folder / "results.json", json.dumps(found, indent=1) + "\n")
    write_text(folder / "results.md", text + "\n")
    return text


def gather(folder: Path, markers: Mapping[str, Marker]) -> dict[str, Any]:
    """Held-out figures by model, the curve of pretraining, scores by task and model, seconds by stage.

    Accuracies and scores are fractions, losses nats. Raises `ClusterError` where a run of the sweep has no score.
    """
    held_out = {
        file.stem.removeprefix("evaluation-"): _read(file)["all"] for file in sorted(folder.glob("evaluation-*.json"))
    }
    lines = (folder / "pretraining" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    evaluations = [line for line in map(json.loads, lines) if line.get("event") == "evaluation"]
    keys = ("step", "loss", "mlm_accuracy", "nsp_accuracy")
    return {
        "held_out": held_out,
        "curve": [{key: line[key] for key in keys} for line in evaluations if line["source"] == "all"],
        "tasks": _scores(folder),
        "seconds": {name: marker.seconds for name, marker in markers.items()},
    }


def _scores(folder: Path) -> dict[str, dict[str, Any]]:
    """Task → metric, score of the best constant answer, and the scores of every model by seed."""
    tasks: dict[str, dict[str, Any]] = {}
    for file in sorted((folder / "finetuning").rglob("result.json")):
        run = _read(file)
        task = tasks.setdefault(run["task"], {"metric": run["metric"], "constant": run["constant_score"], "models": {}})
        if run["score"] is None:
            raise ClusterError(f"{file} has no score; see the report of {folder / 'finetuning'}, and remove the run")
        task["models"].setdefault(_label(run["model"], folder), {})[str(run["seed"])] = run["score"]
    for name, task in tasks.items():
        bag = folder / "bag_of_words" / name / "result.json"
        if bag.is_file():
            task["models"][BAG] = {str(_read(bag)["seed"]): _read(bag)["score"]}
    return tasks


def _label(model: str, folder: Path) -> str:
    if model.startswith("random:"):
        return "random weights"
    return "transformers" if Path(model).is_relative_to(folder / "peer") else "ours"


def as_markdown(found: Mapping[str, Any]) -> str:
    """Two tables."""
    lines = ["| held out | loss | MLM accuracy | NSP accuracy |", "|---|---|---|---|"]
    lines += [
        f"| {label} | {one['loss']:.3f} | {one['mlm_accuracy']:.3f} | {one['nsp_accuracy']:.3f} |"
        for label, one in found["held_out"].items()
    ]
    models = list(dict.fromkeys(model for task in found["tasks"].values() for model in task["models"]))
    if models:
        lines += ["", f"| task | metric | constant | {' | '.join(models)} |", "|---" * (3 + len(models)) + "|"]
    for name, task in found["tasks"].items():
        cells = [_spread(list(task["models"].get(model, {}).values())) for model in models]
        lines.append(f"| {name} | {task['metric']} | {task['constant']:.3f} | {' | '.join(cells)} |")
    if models:
        lines += ["", "Scores on dev: mean and standard deviation over seeds."]
    hours = sum(found["seconds"].values()) / 3600
    pretraining = found["seconds"]["pretraining"] / 3600
    return "\n".join([*lines, "", f"{hours:.1f} hours in all, of them pretraining {pretraining:.1f}."])


def _spread(scores: list[float]) -> str:
    if not scores:
        return ""
    return f"{statistics.mean(scores):.3f}" + (f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else "")


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
