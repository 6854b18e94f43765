"""`training.micro_batch_size = "auto"` on real ranks: one number for all, the same losses."""

import json
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from pretraining.configuration.tables import Recipe
from pretraining.run import micro_batch
from pretraining.run.metrics import read_metrics

RECIPE = f"""{TINY_MODEL}
[training]
steps = 6
batch_size = 24
micro_batch_size = 4
precision = "fp32"
[evaluation]
examples = 20
[output]
log_every = 1
peak_tflops = 1.0
"""


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder / "metrics.jsonl") if "event" not in line]


@pytest.mark.slow
def test_auto_trains_as_any_number_and_resumes_from_any(tmp_path: Path, launch: Callable[..., None]) -> None:
    shards = write_shards(tmp_path / "shards")
    (tmp_path / "recipe.toml").write_text(RECIPE)

    def run(into: str, **training: object) -> dict[str, dict[str, object]]:
        settings = {f"training.{key}": value for key, value in training.items()}
        return {"run": {"data.shards": str(shards), "output.folder": str(tmp_path / into), **settings}}

    plan = [
        run("four"),
        run("auto", micro_batch_size="auto"),
        run("mixed", micro_batch_size="auto", stop_at=2),
        run("mixed", micro_batch_size=2, stop_at=4),
        run("mixed", micro_batch_size="auto"),
    ]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    launch(2, Path(__file__).with_name("run_ranks.py"), str(tmp_path / "plan.json"), folder=tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == [0] * len(plan)
    for other in ("auto", "mixed"):
        assert losses(tmp_path / other) == pytest.approx(losses(tmp_path / "four"), abs=1e-5)
    settled = [
        line for line in read_metrics(tmp_path / "auto" / "metrics.jsonl") if "micro-batch" in line.get("event", "")
    ]
    assert [line["size"] for line in settled] == [12]
    assert "12 sequences a rank and step" in settled[0]["reason"]
    # What the run's folder says is a number, so that reports and other commands need no device.
    recipe = Recipe.model_validate_json((tmp_path / "auto" / "recipe.json").read_text())
    assert recipe.training.micro_batch_size == 12
    assert "training.micro_batch_size: auto is 12 (plan" in (tmp_path / "rank0.log").read_text()


@pytest.mark.slow
def test_the_smallest_machine_decides_for_all(tmp_path: Path, launch: Callable[..., None]) -> None:
    launch(2, Path(__file__).with_name("micro_batch_ranks.py"), str(tmp_path), folder=tmp_path)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second
    (large, _), (smaller, reason), refused = first
    assert smaller <= large
    assert "of 24.0" in reason
    assert "smallest device" in refused


def test_a_number_stays_as_it_is() -> None:
    recipe = Recipe.model_validate({"training": {"steps": 1, "batch_size": 8, "micro_batch_size": 4}})
    assert micro_batch.settled(recipe, recipe.model.build(100), torch.device("cpu"), 1) == (recipe, None)


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(micro_batch, "_CGROUP_LIMITS", (str(limit), str(tmp_path / "absent")))
    assert micro_batch.node_memory() == psutil.virtual_memory().total
    limit.write_text("max\n")
    assert micro_batch.node_memory() == psutil.virtual_memory().total
    limit.write_text("1000000\n")
    assert micro_batch.node_memory() == 1_000_000
