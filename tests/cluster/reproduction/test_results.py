"""The figures of a reproduction, from folders as its stages leave them."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.reproduction.results import gather, write_results
from cluster.stages.chain import Marker

SECONDS = {"pretraining": 3600.0, "rest": 1800.0}
MARKERS = {name: Marker("key", "complete", (), 1, seconds) for name, seconds in SECONDS.items()}


def put(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def run(folder: Path, model: str, seed: int, score: float | None, task: str = "cola") -> None:
    content = {"model": model, "seed": seed, "score": score, "task": task, "metric": "mcc", "constant_score": 0.0}
    put(folder / "finetuning" / task / f"{model.replace('/', '-')}-{seed}" / "result.json", content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    figures = {"loss": 4.0, "mlm_accuracy": 0.4, "nsp_accuracy": 0.9}
    put(tmp_path / "evaluation-ours.json", {"all": figures})
    put(tmp_path / "evaluation-transformers.json", {"all": {**figures, "mlm_accuracy": 0.3}})
    lines = [
        {"step": 1, "loss": 9.0},
        {"event": "evaluation", "source": "books", "step": 1, **figures, "loss": 1.0},
        {"event": "evaluation", "source": "all", "step": 1, **figures},
    ]
    put(tmp_path / "pretraining" / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    for seed, score in ((1, 0.2), (2, 0.4)):
        run(tmp_path, str(tmp_path / "pretraining" / "export"), seed, score)
        run(tmp_path, str(tmp_path / "peer" / "export"), seed, score - 0.1)
        run(tmp_path, f"random:{tmp_path}/pretraining/export/config.json", seed, 0.0)
    put(tmp_path / "bag_of_words" / "cola" / "result.json", {"seed": 1, "score": 0.05})
    return tmp_path


def test_every_model_is_told_apart(folder: Path) -> None:
    found = gather(folder, MARKERS)
    assert found["tasks"]["cola"]["models"] == {
        "ours": {"1": 0.2, "2": 0.4},
        "transformers": {"1": 0.1, "2": pytest.approx(0.3)},
        "random weights": {"1": 0.0, "2": 0.0},
        "bag of words": {"1": 0.05},
    }
    assert found["curve"] == [{"step": 1, "loss": 4.0, "mlm_accuracy": 0.4, "nsp_accuracy": 0.9}]
    assert found["held_out"]["transformers"]["mlm_accuracy"] == 0.3


def test_the_tables(folder: Path) -> None:
    text = write_results(folder, MARKERS)
    assert "| ours | 4.000 | 0.400 | 0.900 |" in text
    row = next(line for line in text.splitlines() if line.startswith("| cola"))
    assert "0.300 ± 0.141" in row
    assert "| 0.050 |" in row
    assert text.endswith("1.5 hours in all, of them pretraining 1.0.")
    assert (folder / "results.md").read_text() == text + "\n"
    assert json.loads((folder / "results.json").read_text())["seconds"] == SECONDS


def test_without_tasks_there_is_one_table(folder: Path) -> None:
    for file in folder.rglob("result.json"):
        file.unlink()
    assert "| task |" not in write_results(folder, MARKERS)


def test_a_run_without_a_score_is_named(folder: Path) -> None:
    run(folder, "random:config.json", 9, None)
    with pytest.raises(ClusterError, match=r"result.json has no score"):
        gather(folder, MARKERS)
