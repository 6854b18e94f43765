"""A small model in one process, with what a checkpoint wants of a DeepSpeed engine at ZeRO stage 0."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from pretraining.data.sampler import Position
from pretraining.optimization.optimizers import build_optimizer
from pretraining.optimization.options import OptimizerConfig
from pretraining.run.checkpoint.files import Retention
from pretraining.run.checkpoint.identity import Identity
from pretraining.run.checkpoint.save import save
from pretraining.run.trainer_state import TrainerState


@dataclass
class Engine:
    """Two layers and their optimiser."""

    options: OptimizerConfig = field(default_factory=OptimizerConfig)
    seed: int = 0
    skipped_steps: int = 0
    global_steps: int = 0

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.module = nn.Sequential(nn.Linear(5, 3), nn.LayerNorm(3))
        self.optimizer = build_optimizer(self.module, self.options)

    def zero_optimization_stage(self) -> int:
        return 0

    def fp16_enabled(self) -> bool:
        return False

    def train(self, updates: int) -> None:
        for number in range(updates):
            generator = torch.Generator().manual_seed(number)
            loss = self.module(torch.randn(4, 5, generator=generator)).square().sum()
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.module.named_parameters()}


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    store = tmp_path_factory.mktemp("store") / "store"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def make_engine() -> type[Engine]:
    return Engine


@pytest.fixture
def identity() -> Identity:
    return Identity(
        model={"hidden_size": 32, "hidden_dropout_prob": 0.1},
        shards="abc",
        population="p",
        settings={"optimizer.name": "adamw", "optimizer.beta2": 0.999, "training.precision": "fp32"},
        steps=1000,
        stage=1,
        ranks=1,
        threads=1,
    )


@pytest.fixture
def save_step(identity: Identity) -> Callable[..., Path]:
    """save_step(folder, step, engine=…, keep=…, every=…, best=…, **state) → the checkpoint's folder."""

    def write(
        folder: Path, step: int, engine: Any = None, keep: int = 2, every: int = 0, best: bool = False, **changes: Any
    ) -> Path:
        state = TrainerState(**{"step": step, "position": Position(1, 7), "tokens": 99, **changes})
        return save(engine or Engine(), folder, state, identity, Retention(keep, every, best)).path

    return write
