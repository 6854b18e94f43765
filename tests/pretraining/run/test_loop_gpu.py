"""Training on one GPU, through DeepSpeed: next to plain torch, cut up, interrupted, with overflows.

The same on the CPU where there is no GPU: a run takes the one that is there.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.deepspeed import communication
from pretraining.configuration.recipe import load_recipe
from pretraining.configuration.tables import Recipe
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import GlobalBatch, Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.fp8_linear import require_fp8, use_fp8
from pretraining.model.huggingface import to_huggingface_names
from pretraining.optimization.optimizers import build_optimizer
from pretraining.planning.memory import memory_per_rank, parameter_sizes
from pretraining.run.engine import full_weights, set_learning_rate, start_engine, start_processes
from pretraining.run.health.stop import StopRequest
from pretraining.run.loop import train_step
from pretraining.run.metrics import read_metrics
from pretraining.run.pretrain import run
from pretraining.run.ranks import read_environment

# cuBLAS reads it when a process first computes on a GPU; deterministic runs of these tests need it.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

Waits = Callable[[], AbstractContextManager[None]]
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
def process_group() -> Iterator[torch.device]:
    """A process group of this one process, for engines in it."""
    before = dict(os.environ)
    alone = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "SLURM_PROCID")}
    yield start_processes(read_environment(alone))
    torch.distributed.destroy_process_group()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def joined(device: torch.device, process_group: torch.device) -> torch.device:
    """The device of this one process."""
    if device.type != process_group.type:
        pytest.skip("a run takes the GPU that is there")
    return process_group


gpu_only = pytest.mark.parametrize("device", [pytest.param("cuda", marks=pytest.mark.gpu)], indirect=True)
"""For what the CPU has not: float16 under DeepSpeed, memory that is counted."""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run sets for its process whether float32 products may be TF32, kernels, threads and the port of a single rank;
    that must not reach the next test.
    """
    monkeypatch.setenv("MASTER_PORT", "29500")  # so that it is put back
    before, threads = torch.backends.cuda.matmul.allow_tf32, torch.get_num_threads()
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def loader_of(shards: Path, batch_size: int, micro_batches: int) -> Loader:
    examples = Examples(open_shard_sets([shards], 32, None), "train", 32)
    return Loader(examples, Sampler.weighted(tuple(examples.set_sizes), (), 1), batch_size, micro_batches, 0, 1, 64)


def engine_of(model: BertForPreTraining, batch_size: int, micro_batches: int, **settings: Any) -> Any:
    training = {"steps": 5, "batch_size": batch_size, "micro_batch_size": batch_size // micro_batches}
    table: dict[str, Any] = {"training": {**training, "precision": settings.pop("precision", "fp32")}, **settings}
    on_cpu = not torch.cuda.is_available()
    return start_engine(Recipe.model_validate(table), model, 1, micro_batches, on_cpu=on_cpu)


def rate_of(step: int) -> float:
    return 1e-3 * min(step + 1, 5)


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
            group["lr"] = rate_of(number)
        plain.step()
        plain.zero_grad()
        losses.append(loss.item())
    return losses


def twins(**changes: Any) -> tuple[BertForPreTraining, BertForPreTraining]:
    """Two models alike, the second in float64."""
    torch.manual_seed(2)
    model, twin = BertForPreTraining(config(**changes)), BertForPreTraining(config(**changes))
    twin.load_state_dict(model.state_dict())
    return model, twin.double()


def engine_losses(engine: Any, batches: list[GlobalBatch]) -> list[float]:
    """Of each step, at the rates of `plain_losses`."""
    found = []
    for number, batch in enumerate(batches):
        set_learning_rate(engine, rate_of(number))
        mlm, nsp, _, _ = train_step(engine, batch, 1).tolist()
        found.append(mlm / batch.masked_tokens + nsp / batch.sequences)
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_five_steps_equal_plain_torch(stage: int, optimizer: str, shards: Path, joined: torch.device) -> None:
    model, twin = twins()
    batches = list(loader_of(shards, 32, 2).batches(Position(), 5))
    wanted = plain_losses(twin, batches, optimizer, clip=1.0)
    engine = engine_of(model, 32, 2, optimizer={"name": optimizer}, deepspeed={"zero_optimization": {"stage": stage}})
    assert engine_losses(engine, batches) == pytest.approx(wanted, abs=1e-4)
    weights = full_weights(engine)
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(weights[name].double(), parameter.detach(), atol=1e-4, rtol=0, msg=name)
    engine.destroy()


@pytest.mark.parametrize(
    ("device", "precision", "tolerance"),
    [
        pytest.param("cuda", "fp32", 1e-3, marks=pytest.mark.gpu),
        pytest.param("cuda", "bf16", 0.05, marks=pytest.mark.gpu),
        pytest.param("cuda", "fp16", 0.02, marks=pytest.mark.gpu),
        ("cpu", "fp32", 1e-3),
        ("cpu", "bf16", 0.05),
    ],
    indirect=["device"],
)
def test_twenty_steps_in_each_precision_equal_plain_torch(
    precision: str, tolerance: float, shards: Path, joined: torch.device
) -> None:
    model, twin = twins()
    batches = list(loader_of(shards, 32, 2).batches(Position(), 20))
    wanted = plain_losses(twin, batches, "adamw", clip=1.0)
    scale = {"fp16": {"initial_scale_power": 8}} if precision == "fp16" else {}
    engine = engine_of(model, 32, 2, precision=precision, deepspeed=scale)
    found = engine_losses(engine, batches)
    assert wanted[-1] < wanted[0]
    assert found == pytest.approx(wanted, abs=tolerance)
    engine.destroy()


def test_linear_layers_in_fp8_train_as_those_in_bfloat16(shards: Path, joined: torch.device) -> None:
    """Through the engine, with the names and precision of all weights; on the CPU with the rounding emulated."""
    pytest.importorskip("torchao")
    on_gpu = joined.type == "cuda"
    if on_gpu:
        try:
            require_fp8(joined)
        except PretrainingError as error:
            pytest.skip(str(error))
    batches = list(loader_of(shards, 32, 2).batches(Position(), 10))
    found, names = {}, {}
    for layers in ("bf16", "fp8"):
        torch.manual_seed(2)
        model = BertForPreTraining(config())
        if layers == "fp8":
            use_fp8(model.bert, emulate=not on_gpu)
        engine = engine_of(model, 32, 2, precision="bf16")
        found[layers] = engine_losses(engine, batches)
        weights = full_weights(engine)
        assert {weight.dtype for weight in weights.values()} == {torch.float32}
        names[layers] = list(weights)
        engine.destroy()
    assert names["fp8"] == names["bf16"]
    assert found["fp8"] != found["bf16"]
    assert found["fp8"] == pytest.approx(found["bf16"], abs=0.1)


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


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        pytest.param("cuda", "bf16", marks=pytest.mark.gpu),
        pytest.param("cuda", "fp16", marks=pytest.mark.gpu),
        ("cpu", "bf16"),
    ],
    indirect=["device"],
)
def test_inner_micro_batches_never_wait_for_the_device(
    precision: str, shards: Path, joined: torch.device, never_waits: Waits
) -> None:
    """All but the last, which reduces, clips and updates; batches are on the device already."""
    torch.manual_seed(2)
    model = BertForPreTraining(config(hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1))
    engine = engine_of(model, 32, 4, precision=precision)
    batch = loader_of(shards, 32, 4).batch_at(Position())
    batch = replace(batch, micro_batches=tuple(packed.to(joined) for packed in batch.micro_batches))
    for _ in range(2):
        train_step(engine, batch, 1)
    inner = 0
    with never_waits():
        for micro_batch in batch.micro_batches[:3]:
            sums = engine(micro_batch)
            loss = sums.mlm_loss_sum / batch.masked_tokens + sums.nsp_loss_sum / batch.sequences
            engine.backward(loss, scale_wrt_gas=False)
            engine.step()
            inner += 1
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


RUNS: list[tuple[int, str, str, dict[str, str]]] = [
    (1, "bf16", "adamw", {}),
    (0, "bf16", "adamw", {}),
    (0, "fp32", "lamb", {}),
    (1, "bf16", "lamb", {}),
    (1, "fp16", "adamw", {}),
    (2, "bf16", "adamw", {}),
    (2, "fp16", "lamb", {}),
    (3, "bf16", "adamw", {}),
    (3, "fp16", "adamw", {}),
    (1, "bf16", "adamw", {"model.activation_checkpointing": "true"}),
    (1, "bf16", "adamw", {"data.masking": "dynamic"}),
]


@pytest.mark.parametrize(
    ("device", "stage", "precision", "optimizer", "more"),
    [
        *(pytest.param("cuda", *case, marks=pytest.mark.gpu) for case in RUNS),
        *(pytest.param("cpu", *RUNS[number], marks=pytest.mark.slow) for number in (0, 2, 7, 10)),
    ],
    indirect=["device"],
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
        "training.precision": precision,
        "optimizer.name": optimizer,
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
    assert 0 < last["memory_bytes"] < 2 ** (33 if joined.type == "cuda" else 36)
    engine.destroy()


@gpu_only
def test_overflows_of_fp16_are_skipped_and_said(
    recipe: Path, shards: Path, tmp_path: Path, joined: torch.device
) -> None:
    """A first scale of 2^40 overflows, and falls until an update succeeds. Counted, and strict JSON throughout."""
    settings = {
        "data.shards": str(shards),
        "output.folder": str(tmp_path / "run"),
        "output.export": "false",
        "training.precision": "fp16",
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


DETERMINISTIC = {"training.deterministic": "true"}
RESUMED: dict[str, tuple[str, dict[str, str]]] = {
    "as shipped": ("bf16", {}),
    "bf16": ("bf16", DETERMINISTIC),
    "fp32": ("fp32", DETERMINISTIC),
    "fp16": ("fp16", {**DETERMINISTIC, "deepspeed.fp16.initial_scale_power": "8"}),
    "bf16 stage 3": ("bf16", {**DETERMINISTIC, "deepspeed.zero_optimization.stage": "3"}),
}


@pytest.mark.parametrize(
    ("device", "case"),
    [
        *(pytest.param("cuda", case, marks=pytest.mark.gpu) for case in RESUMED),
        pytest.param("cpu", "as shipped", marks=pytest.mark.slow),
    ],
    indirect=["device"],
)
def test_interrupted_and_resumed_equals_undisturbed(
    case: str, recipe: Path, shards: Path, tmp_path: Path, joined: torch.device
) -> None:
    """Bit for bit with deterministic kernels, and always on the CPU; as shipped on a GPU, where the first difference is
    printed, near.
    """
    precision, settings = RESUMED[case]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder, more in ((whole, {}), (parts, {"training.stop_at": "7"}), (parts, {})):
        shared = {"data.shards": str(shards), "output.folder": str(folder), "output.export": "false"}
        asked = {**shared, "training.precision": precision, **settings, **more}
        assert run(load_recipe(recipe, list(asked.items())), read_environment(), StopRequest()) == 0
    assert len(losses(whole)) == len(losses(parts)) == 20
    first = next(
        (n + 1 for n, pair in enumerate(zip(losses(whole), losses(parts), strict=True)) if len(set(pair)) > 1), 0
    )
    print(f"first step whose losses differ: {first or 'none'}")
    if case != "as shipped" or joined.type == "cpu":
        assert losses(whole) == losses(parts)
    else:
        assert losses(parts) == pytest.approx(losses(whole), abs=0.05)


@gpu_only
@pytest.mark.parametrize(("stage", "optimizer"), [(1, "adamw"), (1, "lamb"), (0, "adamw")])
def test_a_step_takes_the_memory_that_was_planned(
    stage: int, optimizer: str, tmp_path: Path, joined: torch.device
) -> None:
    """Engine, optimiser, forward and backward of BERT-Large's width in eight layers, at 64 × 128."""
    rows = write_shards(tmp_path / "shards", rows=80, lengths=(128,), words=30517)
    examples = Examples(open_shard_sets([rows], 128, None), "train", 128)
    loader = Loader(examples, Sampler.weighted(tuple(examples.set_sizes), (), 1), 128, 2, 0, 1, 1024)
    batch = loader.batch_at(Position())
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    large = BertConfig.named("large", num_hidden_layers=8)
    settings = {"optimizer": {"name": optimizer}, "deepspeed": {"zero_optimization": {"stage": stage}}}
    engine = engine_of(BertForPreTraining(large), 128, 2, precision="bf16", **settings)
    for _ in range(2):
        train_step(engine, batch, 1)
    measured = torch.cuda.max_memory_allocated() - before
    fullest = max(batch.micro_batches, key=lambda packed: packed.tokens)
    assert fullest.masked_indices_m is not None
    planned = memory_per_rank(
        large,
        stage=stage,
        ranks=1,
        precision="bf16",
        tokens=fullest.tokens,
        sequences=fullest.sequences,
        longest=128,
        masked=fullest.masked_indices_m.numel(),
        bucket=communication({"stage": stage}, 1, parameter_sizes(large)).get("reduce_bucket_size", 0),
    ).total
    engine.destroy()
    print(f"stage {stage}, {optimizer}: GiB {measured / 2**30:.2f}, planned {planned / 2**30:.2f}")
    assert planned == pytest.approx(measured, rel=0.15)


@gpu_only
@pytest.mark.slow
def test_the_launcher_of_deepspeed_starts_a_run(
    device: torch.device, recipe: Path, shards: Path, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "SLURM_PROCID")}
    command = [sys.executable, "-m", "deepspeed.launcher.runner", "--num_gpus", "1", "pretraining/main.py"]
    command += ["--config", str(recipe), f"--data.shards={shards}", f"--output.folder={tmp_path / 'run'}"]
    environment = {**clean, "PYTHONPATH": os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(losses(tmp_path / "run")) == 20


@pytest.mark.slow
def test_a_signal_saves_the_state(device: torch.device, recipe: Path, shards: Path, tmp_path: Path) -> None:
    """The command as people call it: one process, no launcher."""
    if device.type == "cpu" and torch.cuda.is_available():
        pytest.skip("a run takes the GPU that is there")
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


@gpu_only
@pytest.mark.slow
def test_a_compiled_run(recipe: Path, shards: Path, tmp_path: Path, joined: torch.device) -> None:
    shared = {"model.hidden_dropout_prob": "0", "model.attention_probs_dropout_prob": "0", "output.export": "false"}
    for name in ("false", "true"):
        asked = {"data.shards": str(shards), "output.folder": str(tmp_path / name), **shared, "model.compile": name}
        assert run(load_recipe(recipe, list(asked.items())), read_environment(), StopRequest()) == 0
    assert losses(tmp_path / "true") == pytest.approx(losses(tmp_path / "false"), abs=0.05)
