"""What takes part in the comparison of training steps: this model and that of `transformers`, compiled and not."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.bench import Bench
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.fp8_linear import require_fp8, use_fp8
from pretraining.model.packing import PackedBatch

OURS = "ours"
OURS_COMPILED = "ours, compiled"
OURS_FP8 = "ours, FP8, compiled"
SDPA = "transformers, sdpa"
FLASH = "transformers, flash_attention_2"
COMPILED = ", compiled"


@dataclass(frozen=True)
class Contestant:
    """A way to take a training step; several may share a model and its optimiser."""

    name: str
    loss: Callable[[Any], Tensor]
    optimizer: torch.optim.Optimizer
    packed: bool  # takes a `PackedBatch`; otherwise padded inputs

    def step(self, batch: Any, device: torch.device) -> None:
        """Forward, backward, AdamW, in bfloat16 autocast."""
        with torch.autocast(device.type, torch.bfloat16):
            loss = self.loss(batch)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def contestants(bench: Bench, config: BertConfig, *, fp8: bool) -> Iterator[Contestant]:
    """Makes one after the other, and says of those that cannot be why."""
    ours, optimizer = _ours(bench, config)
    yield Contestant(OURS, _our_loss(ours), optimizer, packed=True)
    yield Contestant(OURS_COMPILED, _our_loss(_compiled(bench, ours)), optimizer, packed=True)
    for name, attention, missing in (
        (SDPA, "sdpa", _missing("transformers")),
        (FLASH, "flash_attention_2", _missing("transformers") or _missing("flash_attn")),
    ):
        if missing or (bench.dry and attention != "sdpa"):
            bench.say("skipped", what=name, why=missing or "needs a GPU")
            continue
        theirs, optimizer = _theirs(bench, config, attention)
        yield Contestant(name, _their_loss(theirs), optimizer, packed=False)
        yield Contestant(name + COMPILED, _their_loss(_compiled(bench, theirs)), optimizer, packed=False)
    if not fp8:
        return
    try:
        if not bench.dry:
            require_fp8(bench.device)
        elif missing := _missing("torchao"):
            raise PretrainingError(missing)
        ours, optimizer = _ours(bench, config, fp8=True)
    except PretrainingError as error:
        bench.say("skipped", what=OURS_FP8, why=str(error))
        return
    yield Contestant(OURS_FP8, _our_loss(_compiled(bench, ours)), optimizer, packed=True)


def _missing(package: str) -> str | None:
    """Why a package cannot be used, if it cannot."""
    return None if importlib.util.find_spec(package) else f"{package} is not installed"


def _ours(bench: Bench, config: BertConfig, *, fp8: bool = False) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(1)
    with bench.device:  # drawing 336 million weights on the CPU takes longer than measuring
        model = BertForPreTraining(config)
    if fp8:
        use_fp8(model.bert, emulate=bench.dry)
    return model.train(), torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)


def _our_loss(model: Callable[[PackedBatch], Any]) -> Callable[[PackedBatch], Tensor]:
    def loss(batch: PackedBatch) -> Tensor:
        sums = model(batch)
        value: Tensor = sums.loss(sums.masked_tokens, sums.sequences)
        return value

    return loss


def _their_loss(model: Callable[..., Any]) -> Callable[[dict[str, Tensor]], Tensor]:
    def loss(inputs: dict[str, Tensor]) -> Tensor:
        value: Tensor = model(**inputs).loss
        return value

    return loss


def _theirs(bench: Bench, config: BertConfig, attention: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    import transformers

    torch.manual_seed(1)
    shape = transformers.BertConfig(**config.model_dump())
    with bench.device:
        model: nn.Module = transformers.BertForPreTraining._from_config(shape, attn_implementation=attention)
    model = model.to(bench.device, torch.float32).train()
    return model, torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)


def _compiled(bench: Bench, model: nn.Module) -> Callable[..., Any]:
    # Without a GPU the compiler of kernels takes minutes and says nothing about this one: there graphs are only traced.
    options: dict[str, Any] = {"backend": "eager"} if bench.dry else {}
    compiled: Callable[..., Any] = torch.compile(model, dynamic=True, **options)
    return compiled
