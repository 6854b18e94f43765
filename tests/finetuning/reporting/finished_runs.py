"""Finished runs as a report reads them: their predictions, and a small sweep of a user's own task."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finetuning.atomic_file import write_json
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
Made = Callable[..., Path]
"""made(folder, model=…, **fields) → a run with predictions."""

TEXTS = ["<b>please</b> | now", "thanks", "go away", "hm"]
GOLD = ["yes", "yes", "no", "no"]


def answered(run: Path, *lines: dict[str, Any], split: str = "dev") -> Path:
    """Leaves predictions in a run's folder, by default one of a class; returns the folder."""
    usual = {"id": "0", "label": "no", "prediction": "yes", "scores": {"yes": 0.9}}
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines or (usual,))
    (run / f"predictions-{split}.jsonl").write_text(text, encoding="utf-8")
    return run


def right_so_often(count: int, gold: Sequence[str]) -> list[dict[str, Any]]:
    """Answers of two classes, 0 and 1, of which the first `count` are right."""
    given = [label if place < count else "01"[label == "0"] for place, label in enumerate(gold)]
    return [
        {"id": str(place), "label": label, "prediction": answer, "scores": {answer: 0.5}}
        for place, (label, answer) in enumerate(zip(gold, given, strict=True))
    ]


def model_of(report: dict[str, Any], label: str) -> dict[str, Any]:
    """What a report of one task says of a model."""
    (found,) = (entry for entry in report["tasks"][0]["models"] if entry["label"] == label)
    return found


def polite_sweep(folder: Path, write_result: Callable[..., Path]) -> Path:
    """Two models, two rates, three seeds of a user's own task; one run failed, one is missing."""
    task = folder / "task" / "polite.toml"
    task.parent.mkdir()
    task.write_text(OWN)
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, GOLD, strict=True)]
    for name in ("train", "dev"):
        (task.parent / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = folder / "sweep"
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
        made = write_result(output / run.folder, task="polite", score=score, **fields)
        answers = ["yes", "no", "no", "yes"]
        lines = (
            {"id": str(n), "label": GOLD[n], "prediction": answers[n], "scores": {answers[n]: 0.6 + n / 10}}
            for n in range(4)
        )
        answered(made, *lines)
    return output
