"""The parts of a pretraining step, on tensors that stand for those of a GPU."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.waits.counting import DEVICE, DeviceWaits, counted
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch, PackedShape
from pretraining.optimization.lamb import FlatLayout, Lamb, Segment
from pretraining.optimization.optimizers import UncorrectedAdamW, split_parameters
from pretraining.run import evaluation, ledger, metrics
from pretraining.run.health.finite import guard_stage_0
from pretraining.run.loop import Step, agreed, train_step

CONFIG = BertConfig.named("tiny", vocab_size=101)
LENGTHS = (9, 5, 3)
SHAPE = PackedShape(tokens=24, sequences=5, masked=6, max_length=9)
"""What micro-batches are filled up to, as on a GPU with flash attention."""
VOLTA, HOPPER = (7, 0), (9, 0)
BATCHES = 3
"""Micro-batches of a step, and batches of an evaluation."""


def batch() -> PackedBatch:
    """Three sequences on the host."""
    packed = PackedBatch.from_sequences([list(range(1, n + 1)) for n in LENGTHS], [2] * 3, is_random_next=[0, 1, 0])
    some_m = torch.arange(3)
    return replace(packed, masked_indices_m=some_m, masked_labels_m=some_m, dropout_keys_s=some_m)


def model_on_device(dtype: torch.dtype = torch.float32) -> BertForPreTraining:
    """A model in training. Autocast does not see the stand-in for a GPU, so `dtype` is that of its weights."""
    return BertForPreTraining(CONFIG).train().to(DEVICE, dtype)


def model_and_loss(dtype: torch.dtype, capability: tuple[int, int]) -> DeviceWaits:
    """Forward, loss and backward of one micro-batch."""
    model, packed = model_on_device(dtype), batch().to(DEVICE)
    with counted(capability) as waits:
        model(packed).loss(3, 3).backward()
    return waits


def micro_batches() -> DeviceWaits:
    """A step of the training loop around the engine: micro-batches pinned by the loader's thread, sums and figures."""
    engine = SimpleNamespace(device=DEVICE, step=lambda: None, backward=lambda loss, **_: loss.backward())
    model = model_on_device()
    with counted() as waits:
        share = tuple(batch().filled(SHAPE).pinned() for _ in range(BATCHES))
        waits.found.clear()

        class Engine(SimpleNamespace):
            def __call__(self, packed: PackedBatch) -> Any:
                return model(packed)

        whole: Any = SimpleNamespace(
            micro_batches=share,
            masked_tokens=9,
            sequences=9,
            tokens=51,
            squared_tokens=345,
            fingerprint=1,
            filler_tokens=21,
        )
        interval = metrics.Interval(CONFIG, 128, None)
        for _ in range(2):
            sums = train_step(Engine(**vars(engine)), whole, 1)
            interval.add(Step(whole, sums, 1e-4, 0.1, 0.0))
    return waits


def logged_step() -> DeviceWaits:
    """Figures and digest of a logged step."""
    interval, kept = metrics.Interval(CONFIG, 128, None), ledger.Ledger("", DEVICE)
    counts: Any = SimpleNamespace(tokens=51, squared_tokens=345, masked_tokens=9, sequences=9, filler_tokens=21)
    interval.add(Step(counts, torch.zeros(4, dtype=torch.float64, device=DEVICE), 1e-4, 0.1, 0.0))
    kept.add(5)
    with Alone(metrics), Alone(ledger), counted() as waits:
        interval.close()
        kept.close()
    return waits


def agreed_seconds() -> DeviceWaits:
    """The clock of a run that is bounded by time, at every step."""
    from pretraining.run import loop

    with Alone(loop), counted() as waits:
        agreed(1.0, DEVICE)
    return waits


def update(optimizer: str, stage: int) -> DeviceWaits:
    """One update after the first: of the model's parameters (stage 0), or of one flat partition (stage 1)."""
    model = model_on_device()
    groups: list[dict[str, Any]] = [{"params": group} for group in split_parameters(model)]
    if stage:
        sizes = [parameter.numel() for parameter in model.parameters()]
        groups = [{"params": [nn.Parameter(torch.empty(sum(sizes), device=DEVICE))]}]
    kinds: dict[str, Any] = {"lamb": Lamb, "adamw without correction": UncorrectedAdamW}
    rule = kinds[optimizer](groups, lr=1e-4, betas=(0.9, 0.999), eps=1e-6)
    if stage and isinstance(rule, Lamb):
        starts = np.cumsum([0, *sizes])
        segments = tuple(Segment(n, int(starts[n]), size) for n, size in enumerate(sizes))
        layout = FlatLayout(segments, len(sizes), None, DEVICE)
        rule.layout_of = lambda flat: layout
    with counted() as waits:
        for repeat in range(2):
            for group in rule.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.zeros_like(parameter)
            if repeat:
                waits.found.clear()  # the first makes the state
            rule.step()
    return waits


def stage_0_guard() -> DeviceWaits:
    """What is looked at before an update at stage 0, where DeepSpeed does not look."""
    parameter = nn.Parameter(torch.empty(8, device=DEVICE))
    rule: Any = torch.optim.SGD([parameter], lr=0.1)
    guard_stage_0(SimpleNamespace(optimizer=rule), clip_norm=1.0)
    with counted() as waits:
        parameter.grad = torch.zeros_like(parameter)
        rule.step()
    return waits


def held_out() -> DeviceWaits:
    """An evaluation of several batches."""
    model = model_on_device()

    class Engine:
        device = DEVICE

        def eval(self) -> None:
            model.eval()

        def train(self) -> None:
            model.train()

        def __call__(self, packed: PackedBatch) -> Any:
            return model(packed)

    class Examples:
        sequence_length = max(LENGTHS)

        def pack(self, _: np.ndarray) -> PackedBatch:
            return batch()

        def measure(self, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.array(LENGTHS)[group % 3], np.ones(len(group), np.int64)

    part = evaluation.HeldOut.__new__(evaluation.HeldOut)
    part.examples, part.micro_batch_size, part.fixed_shapes = Examples(), 3, True  # type: ignore[assignment]
    part.by_source = {"books": np.arange(3 * BATCHES)}
    with Alone(evaluation), counted() as waits:
        part.evaluate(Engine())
    return waits


class Alone:
    """A module's process group of one rank, which has nothing to send."""

    def __init__(self, module: Any) -> None:
        self.module, self.before = module, module.dist

    def __enter__(self) -> None:
        def nothing(*_: Tensor, **__: Any) -> None:
            pass

        self.module.dist = SimpleNamespace(
            all_reduce=nothing, broadcast=nothing, get_rank=lambda: 0, get_world_size=lambda: 1
        )

    def __exit__(self, *_: object) -> None:
        self.module.dist = self.before


PARTS = {
    "model, bfloat16, flash": lambda: model_and_loss(torch.bfloat16, HOPPER),
    "model, float16, compute capability 7.0": lambda: model_and_loss(torch.float16, VOLTA),
    "model, float32": lambda: model_and_loss(torch.float32, HOPPER),
    "two steps of the loop": micro_batches,
    "a logged step": logged_step,
    "the clock, where time bounds the run": agreed_seconds,
    "LAMB, stage 0": lambda: update("lamb", 0),
    "LAMB, stage 1": lambda: update("lamb", 1),
    "AdamW without bias correction, stage 0": lambda: update("adamw without correction", 0),
    "AdamW without bias correction, stage 1": lambda: update("adamw without correction", 1),
    "what is looked at before an update at stage 0": stage_0_guard,
    "an evaluation of three batches": held_out,
}
