"""How a run ends: its files, its scores, and what the result says of it."""

import json
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.constant import BestConstant
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.loading import load_task
from finetuning.kinds.rows import SplitRows, TextRow
from finetuning.run.loop import Trained
from finetuning.run.outcome import constant_of, package_versions, result_of, score_splits
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec

LABELS = ("entailment", "neutral", "contradiction")


def split(name: str, *labels: str | None) -> SplitRows:
    rows = tuple(TextRow(str(number), "", "a", "b", label) for number, label in enumerate(labels))
    return SplitRows(name, rows, labelled=None not in labels, notes=(f"note of {name}",))


SPLITS = {
    "train": split("train", "neutral", "neutral", "entailment"),
    "dev_matched": split("dev_matched", "entailment", "entailment", "neutral", "contradiction"),
    "dev_mismatched": split("dev_mismatched", "neutral", "neutral"),
    "ax": split("ax", None, None),
}
GIVEN = {
    "dev_matched": ("entailment", "entailment", "neutral", "neutral"),
    "dev_mismatched": ("neutral", "entailment"),
    "ax": ("contradiction", "neutral"),
}


def answers(name: str, given: tuple[str, ...] | None = None) -> list[Prediction]:
    pairs = zip(SPLITS[name].rows, given or GIVEN[name], strict=True)
    return [Prediction(row.id, row.label, answer, {answer: 0.5}) for row, answer in pairs]


def spec_of(output: Path, **options: Any) -> RunSpec:
    return RunSpec(task="mnli", model="m", output=output, **options)


def test_every_split_but_training_is_answered_and_dev_is_scored(tmp_path: Path) -> None:
    task = load_task("mnli")
    metrics, main = score_splits(task, SPLITS, spec_of(tmp_path), answers, is_first=True)
    assert metrics == {"accuracy": 0.75, "dev_mismatched/accuracy": 0.5}
    assert main == answers("dev_matched")
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == [
        *(f"predictions-{name}.jsonl" for name in ("ax", "dev_matched", "dev_mismatched")),
        "submission/AX.tsv",
    ]
    lines = [json.loads(line) for line in (tmp_path / "predictions-dev_mismatched.jsonl").read_text().splitlines()]
    assert [line["prediction"] for line in lines] == ["neutral", "entailment"]
    assert (tmp_path / "submission" / "AX.tsv").read_text() == "index\tprediction\n0\tcontradiction\n1\tneutral\n"


def test_a_part_of_a_split_is_no_submission(tmp_path: Path) -> None:
    score_splits(load_task("mnli"), SPLITS, spec_of(tmp_path, limit_dev=2), answers, is_first=True)
    assert (tmp_path / "predictions-ax.jsonl").is_file()
    assert not (tmp_path / "submission").exists()


def test_one_rank_writes(tmp_path: Path) -> None:
    found = score_splits(load_task("mnli"), SPLITS, spec_of(tmp_path), answers, is_first=False)
    assert found == ({"accuracy": 0.75, "dev_mismatched/accuracy": 0.5}, answers("dev_matched"))
    assert list(tmp_path.iterdir()) == []


def test_the_constant_answer_is_to_the_main_dev_split() -> None:
    best = constant_of(load_task("mnli"), SPLITS)
    assert (best.majority_score, best.score) == (0.25, 0.5)  # neutral in training, entailment on dev
    assert {answer.prediction for answer in best.answers} == {"entailment"}


CUT = Truncation(rows=3, truncated_rows=1, truncated_share=1 / 3, tokens=9, lost_tokens=2, longest=8, limit=6)


def ended(output: Path, trained: Trained, given: tuple[str, ...] | None = None, **keys: Any) -> Result:
    """The result of a run of three weights, whose training split has four sequences."""
    task, model = load_task("mnli"), torch.nn.Linear(2, 1)
    encoded = {"train": SimpleNamespace(offsets_s=np.arange(5), cut=SimpleNamespace(counts=CUT))}
    start = SimpleNamespace(fingerprint="f" * 64, notes=("note of the start",))
    scored = {"accuracy": 0.75, "dev_mismatched/accuracy": 0.5}, answers("dev_matched", given)
    constant = BestConstant(
        0.25, 0.5, tuple(Prediction(p.id, p.label, "entailment", None) for p in answers("dev_matched"))
    )
    run = {"constant": constant, "model": model, "encoded": encoded, "seconds": 9.0, "notes": ("note of the run",)}
    options = {"learning_rate": 5e-5, "batch_size": 16, "epochs": 2.5, "seed": 7}
    return result_of(spec_of(output, **options), task, start, SPLITS, scored, trained, **run, **keys)  # type: ignore[arg-type]


def test_everything_that_a_result_says(tmp_path: Path) -> None:
    trained = Trained(seconds_per_epoch=1.5, train_loss=0.25, epoch_scores=[0.5, 0.75])
    result = ended(tmp_path, trained)
    low, high = result.above_constant or (1.0, 0.0)
    assert -0.5 <= low <= 0.0 <= 0.25 <= high <= 1.0
    assert result.model_dump(exclude={"versions", "spec", "above_constant"}) == {
        **{"task": "mnli", "model": "m", "model_fingerprint": "f" * 64, "learning_rate": 5e-5, "batch_size": 16},
        **{"epochs": 2.5, "seed": 7, "metric": "accuracy", "score": 0.75},
        **{"metrics": {"accuracy": 0.75, "dev_mismatched/accuracy": 0.5}, "majority_score": 0.25},
        **{"constant_score": 0.5, "failed_run": False, "failure": None, "diverged": False, "stopped_early": False},
        **{"epoch_scores": (0.5, 0.75), "train_loss": 0.25, "train_rows": 3, "dev_rows": 4, "train_sequences": 4},
        "truncation": {"train": asdict(CUT)},
        **{"parameters": 3, "seconds": 9.0, "seconds_per_epoch": 1.5, "precision": "fp32", "baseline": None},
        "notes": (*(f"note of {name}" for name in SPLITS), "note of the run", "note of the start"),
        "inputs": None,
    }
    assert result.spec == spec_of(tmp_path, learning_rate=5e-5, batch_size=16, epochs=2.5, seed=7)
    assert result.versions == package_versions()


def test_a_result_says_what_else_was_given(tmp_path: Path) -> None:
    result = ended(tmp_path, Trained(train_loss=0.5, stopped_early=True), precision="bf16", name="mnli-features")
    assert (result.task, result.precision, result.stopped_early) == ("mnli-features", "bf16", True)


def test_the_reason_of_a_failure_is_the_rule_s(tmp_path: Path) -> None:
    result = ended(tmp_path, Trained(train_loss=0.5), given=("neutral",) * 4)
    assert (result.failed_run, result.failure, result.diverged, result.train_loss) == (True, "constant", False, 0.5)


def test_a_run_that_diverged_has_failed_and_no_loss(tmp_path: Path) -> None:
    result = ended(tmp_path, Trained(train_loss=float("nan"), diverged=True))
    assert (result.failed_run, result.failure, result.diverged, result.train_loss) == (True, "diverged", True, -1.0)


def test_versions_are_those_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "datasets":
            raise PackageNotFoundError(name)
        return f"of {name}"

    monkeypatch.setattr("finetuning.run.outcome.version", version)
    named = ("bert-pretraining", "deepspeed", "tokenizers", "scikit-learn", "scipy", "seqeval")
    python = ".".join(map(str, sys.version_info[:3]))
    assert package_versions() == {"python": python, "torch": torch.__version__} | {name: f"of {name}" for name in named}
