"""The parts of fine-tuning, on tensors that stand for those of a GPU."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.waits.counting import DEVICE, DeviceWaits, counted
from finetuning.kinds.encoding.layout import EncodedSplit, WordMap
from finetuning.kinds.encoding.truncation import cut_of
from finetuning.kinds.model import TaskModel
from finetuning.kinds.registry import KINDS, kind_named
from finetuning.run.features import extract
from finetuning.run.loop import _step, predict
from finetuning.run.ranks import Ranks
from finetuning.run.specification import RunSpec
from pretraining.model.bert import BertModel
from pretraining.model.config import BertConfig

ITEMS, LENGTH, CLASSES = 6, 8, 3
SPEC = RunSpec.model_validate({"task": "none", "model": "none", "output": "none", "micro_batch_pieces": 16})
"""Two or three passes a batch."""


def split_of(kind: str) -> EncodedSplit:
    """Six items of a kind, of sequences of eight pieces."""
    group = 2 if kind == "choice" else 1
    sequences, random = ITEMS * group, np.random.default_rng(0)
    labels: Any = random.integers(0, 2, ITEMS)
    if kind == "regression":
        labels = labels.astype(np.float32)
    elif kind == "multi_label":
        labels = random.integers(0, 2, (ITEMS, CLASSES)).astype(np.float32)
    elif kind == "span":
        labels = random.integers(1, LENGTH, (ITEMS, 2))
    words = None
    if kind == "token":
        labels = random.integers(0, CLASSES, 3 * ITEMS)
        places = np.tile(np.arange(1, 4, dtype=np.int32), ITEMS)
        words = WordMap(np.arange(ITEMS + 1) * 3, places, places - 1, np.repeat(np.arange(ITEMS), 3))
    return EncodedSplit(
        random.integers(5, 100, sequences * LENGTH).astype(np.int32),
        np.arange(sequences + 1) * LENGTH,
        np.full(sequences, LENGTH // 2, np.int32),
        np.arange(ITEMS),
        labels,
        cut_of(np.zeros(ITEMS, np.int64), sequences * LENGTH, LENGTH, LENGTH),
        group,
        words,
    )


def model_of(kind: str) -> TaskModel:
    """A tiny model with the head of a kind, in training mode."""
    encoder = BertModel(BertConfig.named("tiny", vocab_size=101))
    return TaskModel(encoder, kind_named(kind), CLASSES).train().to(DEVICE)


class Engine:
    """Backward alone."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def backward(self, loss: torch.Tensor, *, is_last: bool) -> None:
        loss.backward()

    def step(self, step: int) -> None:
        """Nothing."""


def one_step(kind: str) -> DeviceWaits:
    """Batches to the device, forward, loss and backward."""
    split, model = split_of(kind), model_of(kind)
    with counted() as waits:
        _step(Engine(model), model, split, np.arange(ITEMS), SPEC, Ranks(0, 1, DEVICE), epoch=0)
    return waits


def answers(kind: str) -> DeviceWaits:
    """Logits of a whole split."""
    split, model = split_of(kind), model_of(kind)
    with counted() as waits:
        predict(model, split, SPEC, Ranks(0, 1, DEVICE))
    return waits


def features(level: Any) -> DeviceWaits:
    """Vectors of a split in one batch."""
    split, encoder = split_of("token" if level == "word" else "classification"), model_of("classification").encoder
    rows: Any = [None] * ITEMS
    if level == "word":
        from finetuning.kinds.rows import TokenRow

        rows = [TokenRow(str(row), "", ("a", "b", "c"), None) for row in range(ITEMS)]
    with counted() as waits:
        extract(encoder, split, rows, "last", level, DEVICE)
    return waits


PARTS: dict[str, Callable[[], DeviceWaits]] = {
    **{f"fine-tuning step, {kind}": partial(one_step, kind) for kind in KINDS},
    **{f"answers to a split, {kind}": partial(answers, kind) for kind in KINDS},
    **{f"features of a batch, {level}": partial(features, level) for level in ("cls", "mean", "word")},
}
