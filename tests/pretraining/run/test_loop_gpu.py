"""Training on one CUDA device, through DeepSpeed: next to plain torch, cut up, interrupted, with overflows."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.recipe import load_recipe
from pretraining.configuration.tables import Recipe
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import GlobalBatch, Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import to_huggingface_names
from pretraining.optimization.optimizers import build_optimizer
from pretraining.run.engine import full_weights, set_learning_rate, start_engine, start_processes
from pretraining.run.health.stop import StopRequest
from pretraining.run.loop import train_step
from pretraining.run.metrics import read_metrics
from pretraining.run.pretrain import run
from pretraining.run.ranks import read_environment

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

ROOT = Path(__file__).parents[3]
RECIPE = """
[model]
size = "tiny"
hidden_size = 64
intermediate_size = 128
max_position_embeddings = 32
[data]
sequence_length = 32
[training]
steps = 20
batch_size = 32
micro_batch_size = 8
precision = "bf16"
[optimizer]
learning_rate = 3e-3
[schedule]
warmup_steps = 2
[evaluation]
examples = 40
[output]
log_every = 1
tensorboard = false
"""


def config(**changes: Any) -> BertConfig:
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    sizes = {"hidden_size": 64, "intermediate_size": 128, "max_position_embeddings": 32, "vocab_size": 65}
    return BertConfig.named("tiny", **{**off, **sizes, **changes})


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("gpu") / "shards", full_share=0.3)


@pytest.fixture(scope="module")
def joined() -> Iterator[torch.device]:
    """A process group of this one process, for engines in it."""
    alone = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "SLURM_PROCID")}
    yield start_processes(read_environment(alone))
    torch.distributed.destroy_process_group()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def _own_precision() -> Iterator[None]:
    """A run sets for its process whether float32 products may be TF32; that must not reach the next test."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


def loader_of(shards: Path, batch_size: int, micro_batches: int) -> Loader:
    examples = Examples(open_shard_sets([shards], 32, None), "train", 32)
    return Loader(examples, Sampler.weighted(tuple(examples.set_sizes), (), 1), batch_size, micro_batches, 0, 1, 64)


def engine_of(model: BertForPreTraining, batch_size: int, micro_batches: int, **settings: Any) -> Any:
    training = {"steps": 5, "batch_size": batch_size, "micro_batch_size": batch_size // micro_batches}
    table: dict[str, Any] = {"training": {**training, "precision": settings.pop("precision", "fp32")}, **settings}
    return start_engine(Recipe.model_validate(table), model, 1, micro_batches, on_cpu=False)


def plain_losses(model: BertForPreTraining, batches: list[GlobalBatch], optimizer: str, clip: float) -> list[float]:
    """The same steps by plain torch, float64 on the CPU."""
    settings = Recipe.model_validate(
        {"training": {"steps": 5, "batch_size": 8, "micro_batch_size": 8}, "optimizer": {"name": optimizer}}
    ).optimizer
    plain, losses = build_optimizer(model, settings), []
    for number, batch in enumerate(batches):
        loss = torch.zeros((), dtype=torch.float64)
        for micro_batch in batch.micro_batches:
            sums = model(micro_batch)
            loss = loss + sums.mlm_loss_sum / batch.masked_tokens + sums.nsp_loss_sum / batch.sequences
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        for group in plain.param_groups:
            group["lr"] = 1e-3 * (number + 1)
        plain.step()
        plain.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_five_steps_equal_plain_torch(stage: int, optimizer: str, shards: Path, joined: torch.device) -> None:
    torch.manual_seed(2)
    model = BertForPreTraining(config())
    twin = BertForPreTraining(config())
    twin.load_state_dict(model.state_dict())
    for one, other in zip(twin.parameters(), model.parameters(), strict=True):
        one.__dict__.update(other.__dict__)
    batches = list(loader_of(shards, 32, 2).batches(Position(), 5))
    wanted = plain_losses(twin.double(), batches, optimizer, clip=1.0)
    engine = engine_of(model, 32, 2, optimizer={"name": optimizer}, deepspeed={"zero_optimization": {"stage": stage}})
    found = []
    for number, batch in enumerate(batches):
        set_learning_rate(engine, 1e-3 * (number + 1))
        mlm, nsp, _, _ = train_step(engine, batch, 1).tolist()
        found.append(mlm / batch.masked_tokens + nsp / batch.sequences)
    assert found == pytest.approx(wanted, abs=1e-4)
    weights = full_weights(engine)
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(weights[name].double(), parameter.detach(), atol=1e-4, rtol=0, msg=name)
    engine.destroy()


def test_the_gradient_does_not_depend_on_micro_batches(shards: Path, joined: torch.device) -> None:
    norms, weights = [], []
    for micro_batches in (1, 2, 8):
        torch.manual_seed(2)
        engine = engine_of(BertForPreTraining(config()), 32, micro_batches)
        set_learning_rate(engine, 1e-3)
        train_step(engine, loader_of(shards, 32, micro_batches).batch_at(Position()), 1)
        norms.append(float(engine.get_global_grad_norm()))
        weights.append(full_weights(engine))
        engine.destroy()
    assert norms == pytest.approx([norms[0]] * 3, rel=1e-5)
    for other in weights[1:]:
        for name, value in weights[0].items():
            torch.testing.assert_close(other[name], value, atol=2e-5, rtol=0, msg=name)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_inner_micro_batches_never_wait_for_the_device(precision: str, shards: Path, joined: torch.device) -> None:
    """All but the last, which reduces, clips and updates; batches are on the device already."""
    torch.manual_seed(2)
    model = BertForPreTraining(config(hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1))
    engine = engine_of(model, 32, 4, precision=precision)
    batch = loader_of(shards, 32, 4).batch_at(Position())
    batch = replace(batch, micro_batches=tuple(packed.to(joined) for packed in batch.micro_batches))
    for _ in range(2):
        train_step(engine, batch, 1)
    torch.cuda.synchronize()
    inner = 0
    try:
        for micro_batch in batch.micro_batches[:3]:
            torch.cuda.set_sync_debug_mode("error")
            sums = engine(micro_batch)
            loss = sums.mlm_loss_sum / batch.masked_tokens + sums.nsp_loss_sum / batch.sequences
            engine.backward(loss, scale_wrt_gas=False)
            engine.step()
            inner += 1
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert inner == 3
    engine.destroy()


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in strict_lines(folder) if "event" not in line]


def strict_lines(folder: Path) -> list[dict[str, Any]]:
    """Lines of the metrics as standard JSON, which has no NaN and no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in metrics.jsonl")

    text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("stage", "precision", "optimizer", "more"),
    [
        (0, "bf16", "adamw", {}),
        (0, "fp32", "lamb", {}),
        (1, "bf16", "adamw", {}),
        (1, "bf16", "lamb", {}),
        (1, "fp16", "adamw", {}),
        (2, "bf16", "adamw", {}),
        (2, "fp16", "lamb", {}),
        (3, "bf16", "adamw", {}),
        (3, "fp16", "adamw", {}),
        (1, "bf16", "adamw", {"model.activation_checkpointing": "true"}),
        (1, "bf16", "adamw", {"data.masking": '"dynamic"'}),
    ],
)
def test_a_run_as_shipped(
    stage: int,
    precision: str,
    optimizer: str,
    more: dict[str, str],
    recipe: Path,
    shards: Path,
    tmp_path: Path,
    joined: torch.device,
) -> None:
    """Twenty steps with dropout, evaluation, checkpoint, report; the export holds the engine's weights."""
    settings = {
        "data.shards": str(shards),
        "output.folder": str(tmp_path / "run"),
        "training.precision": f'"{precision}"',
        "optimizer.name": f'"{optimizer}"',
        "deepspeed.zero_optimization.stage": str(stage),
        **({"deepspeed.fp16.initial_scale_power": "8"} if precision == "fp16" else {}),
        **more,
    }
    kept: dict[str, Any] = {}
    monkeypatch = pytest.MonkeyPatch()

    def keeping(*arguments: Any, **named: Any) -> Any:
        kept["engine"] = start_engine(*arguments, **named)
        return kept["engine"]

    with monkeypatch.context() as patch:
        patch.setattr("pretraining.run.joined_run.start_engine", keeping)
        assert run(load_recipe(recipe, list(settings.items())), read_environment(), StopRequest()) == 0
    found = losses(tmp_path / "run")
    assert len(found) == 20
    assert sum(found[-3:]) < sum(found[:3]) - 0.05
    engine = kept["engine"]
    weights = full_weights(engine)
    exported = load_file(tmp_path / "run" / "export" / "model.safetensors")
    for ours, theirs in to_huggingface_names(engine.module).items():
        whole = torch.cat([exported[name] for name in theirs])
        assert torch.equal(whole, weights[ours].reshape(whole.shape)), ours
    assert json.loads((tmp_path / "run" / "state.json").read_text())["status"] == "finished"
    last = [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if "event" not in line][-1]
    assert 0 < last["memory_bytes"] < 2**33
    engine.destroy()


def test_overflows_of_fp16_are_skipped_and_said(
    recipe: Path, shards: Path, tmp_path: Path, joined: torch.device
) -> None:
    """A first scale of 2^40 overflows, and falls until an update succeeds. Counted, and strict JSON throughout."""
    settings = {
        "data.shards": str(shards),
        "output.folder": str(tmp_path / "run"),
        "output.export": "false",
        "training.precision": '"fp16"',
        "deepspeed.fp16.initial_scale_power": "40",
        "deepspeed.fp16.hysteresis": "1",
        "training.steps": "40",
    }
    assert run(load_recipe(recipe, list(settings.items())), read_environment(), StopRequest()) == 0
    lines = [line for line in strict_lines(tmp_path / "run") if "event" not in line]
    skipped = [line["skipped_updates"] for line in lines]
    assert skipped[0] == 1
    assert 5 < sum(skipped) < 35
    assert all(line["gradient_norm"] is None for line in lines if line["skipped_updates"])
    assert all(line["gradient_norm"] > 0 for line in lines if not line["skipped_updates"])


def start(recipe: Path, shards: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as people call it: one process, no launcher."""
    clean = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "SLURM_PROCID")}
    command = [sys.executable, "pretraining/main.py", "--config", str(recipe), f"--data.shards={shards}"]
    command += [f"--output.folder={folder}", *arguments]
    environment = {**clean, "PYTHONPATH": os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")])}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "arguments"),
    [
        ("bf16", ["--training.deterministic=true"]),
        ("fp32", ["--training.deterministic=true"]),
        ("fp16", ["--training.deterministic=true", "--deepspeed.fp16.initial_scale_power=8"]),
        ("bf16", ["--training.deterministic=true", "--deepspeed.zero_optimization.stage=3"]),
        ("bf16", []),
    ],
    ids=["bf16", "fp32", "fp16", "bf16 stage 3", "bf16 without deterministic"],
)
def test_interrupted_and_resumed_equals_undisturbed(
    precision: str, arguments: list[str], recipe: Path, shards: Path, tmp_path: Path
) -> None:
    shared = [f"--training.precision={precision}", "--output.export=false", *arguments]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for done in (
        start(recipe, shards, whole, *shared),
        start(recipe, shards, parts, *shared, "--training.stop_at=7"),
        start(recipe, shards, parts, *shared),
    ):
        assert done.returncode == 0, done.stderr[-3000:]
    assert len(losses(whole)) == len(losses(parts)) == 20
    first = next(
        (n + 1 for n, pair in enumerate(zip(losses(whole), losses(parts), strict=True)) if len(set(pair)) > 1), 0
    )
    print(f"first step whose losses differ: {first or 'none'}")
    if "--training.deterministic=true" in arguments:
        assert losses(whole) == losses(parts)
    else:
        assert losses(parts) == pytest.approx(losses(whole), abs=0.05)


@pytest.mark.slow
def test_the_launcher_of_deepspeed_starts_a_run(recipe: Path, shards: Path, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "SLURM_PROCID")}
    command = [sys.executable, "-m", "deepspeed.launcher.runner", "--num_gpus", "1", "pretraining/main.py"]
    command += ["--config", str(recipe), f"--data.shards={shards}", f"--output.folder={tmp_path / 'run'}"]
    environment = {**clean, "PYTHONPATH": os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(losses(tmp_path / "run")) == 20


@pytest.mark.slow
def test_a_signal_saves_the_state(recipe: Path, shards: Path, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "SLURM_PROCID")}
    command = [sys.executable, "pretraining/main.py", "--config", str(recipe), f"--data.shards={shards}"]
    command += [f"--output.folder={tmp_path / 'run'}", "--training.steps=100000", "--output.export=false"]
    environment = {**clean, "PYTHONPATH": os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")])}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(1500):
            if [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if "event" not in line]:
                break
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(timeout=60) == 75, (tmp_path / "log").read_text()[-3000:]
    finally:
        process.kill()
    assert json.loads((tmp_path / "run" / "state.json").read_text())["status"] == "interrupted"


@pytest.mark.slow
def test_a_compiled_run(recipe: Path, shards: Path, tmp_path: Path) -> None:
    shared = ["--model.hidden_dropout_prob=0", "--model.attention_probs_dropout_prob=0", "--output.export=false"]
    for name, arguments in (("plain", []), ("compiled", ["--model.compile=true"])):
        done = start(recipe, shards, tmp_path / name, *shared, *arguments)
        assert done.returncode == 0, done.stderr[-3000:]
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "plain"), abs=0.05)
