"""`bert-large-phase1` really starts on two CPU ranks, under ZeRO 1, 2 and 3, in the memory that the planner says.

Opt-in: minutes, and 20 GiB of memory.

    make test-large

BERT_SHARDS may name a folder of real shards of length 128.
"""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from pretraining.model.config import BertConfig
from pretraining.planning.memory import memory_per_rank
from pretraining.run.metrics import read_metrics

RECIPE = Path(__file__).parents[3] / "pretraining" / "recipes" / "bert-large-phase1.toml"
STEPS = 8
BUCKET = 50_000_000


@pytest.mark.large
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_bert_large_starts(
    stage: int, tmp_path: Path, launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # glibc would keep freed activations in its heap, full of holes; mapped, the resident memory is what is in use.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "262144")
    shards = os.environ.get("BERT_SHARDS") or str(write_shards(tmp_path / "shards", lengths=(128,), rows=8, shards=1))
    (tmp_path / "recipe.toml").write_text(RECIPE.read_text())
    settings = {
        "data.shards": shards,
        "output.folder": str(tmp_path / "run"),
        "output.export": "false",
        "output.tensorboard": "false",
        "output.peak_tflops": 1.0,
        "model.vocab_size": 30522,
        "training.steps": STEPS,
        "training.batch_size": 8,
        "training.micro_batch_size": 4,
        "training.precision": "fp32",
        "schedule.warmup_steps": 0,
        "evaluation.examples": 0,
        "deepspeed.zero_optimization.stage": stage,
        "deepspeed.zero_optimization.reduce_bucket_size": BUCKET,
        "deepspeed.zero_optimization.allgather_bucket_size": BUCKET,
    }
    if stage == 3:
        del settings["deepspeed.zero_optimization.allgather_bucket_size"]
    (tmp_path / "plan.json").write_text(json.dumps([{"run": settings}]))
    launch(2, Path(__file__).with_name("run_ranks.py"), str(tmp_path / "plan.json"), folder=tmp_path, seconds=1500)
    assert json.loads((tmp_path / "results.json").read_text()) == [0]
    lines = [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if "event" not in line]
    losses = [line["loss"] for line in lines]
    before = int((tmp_path / "memory_before.txt").read_text())  # the interpreter and its libraries
    measured = lines[-1]["memory_bytes"] - before
    planned = memory_per_rank(
        BertConfig.named("large"),
        stage=stage,
        ranks=2,
        precision="fp32",
        tokens=4 * 128,
        sequences=4,
        longest=128,
        masked=4 * 20,
        flash=False,
        bucket=BUCKET,
        optimizer="lamb",
    )
    print(f"stage {stage}: losses {losses}, GiB on rank 0 {measured / 2**30:.2f}, planned {planned.total / 2**30:.2f}")
    assert len(losses) == STEPS
    assert all(map(math.isfinite, losses))
    assert sum(losses[-2:]) < sum(losses[:2]) - 2.0
    assert planned.total == pytest.approx(measured, rel=0.15)
