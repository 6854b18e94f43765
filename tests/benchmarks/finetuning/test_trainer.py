"""The `Trainer` is given the same as this package: without chance, both end with the same model."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from benchmarks.finetuning.clock import Clock
from benchmarks.finetuning.plan import Plan
from benchmarks.finetuning.trainer import predicted, theirs, trainer_for
from finetuning.errors import FinetuningError
from finetuning.kinds.batches import training_batches
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.model import TaskModel
from finetuning.kinds.scoring import labels_of
from finetuning.run.checkpoint import FineTuned, save_fine_tuned
from finetuning.run.loop import predict, train
from finetuning.run.ranks import Ranks
from finetuning.run.schedule import optimiser_for
from finetuning.run.specification import RunSpec
from finetuning.run.splits import read_splits
from finetuning.run.start import load_start, set_dropout

NAMES = ("cola", "stsb", "conll2000", "squad1")
"""One of each kind."""
RANKS = Ranks(0, 1, torch.device("cpu"))


class Given(torch.utils.data.Sampler[int]):
    """The given orders, one an epoch."""

    def __init__(self, orders: Sequence[np.ndarray]) -> None:
        self.orders = iter(orders)
        self.length = len(orders[0])

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(next(self.orders).tolist())


def started(spec: RunSpec, folder: Path) -> tuple[TaskModel, EncodedSplit, EncodedSplit]:
    """Our model before training, which `folder` gets with its head, and both splits."""
    task = load_task(spec.task)
    kind = kind_of(task)
    splits = read_splits(task, spec)
    labels, _ = labels_of(task, splits)
    start = load_start(spec, task)
    torch.manual_seed(3)
    model = TaskModel(start.encoder, kind, len(labels))
    set_dropout(model, 0.0)
    length = spec.sequence_length or 0
    rows = [splits[name].rows for name in ("train", task.dev[0])]
    encoded = [kind.encode(task, split, start.tokenizer, labels, length) for split in rows]
    save_fine_tuned(folder, FineTuned(model, start.tokenizer, task, labels, length))
    return model, encoded[0], encoded[1]


@pytest.mark.parametrize("name", NAMES)
def test_without_chance_both_end_with_the_same_model(name: str, planned: Callable[..., Plan], tmp_path: Path) -> None:
    # Windows one at a time: in transformers padding takes part in the softmax over places, and here there is none.
    chosen: dict[str, Any] = {"batch_size": 1 if name == "squad1" else 3, "epochs": 2.0, "learning_rate": 1e-3}
    chosen |= {"dropout": 0.0, "group_by_length": False, "weight_decay": 0.1}
    spec = planned(name).runs[0].spec.model_copy(update=chosen)
    model, encoded, dev = started(spec, tmp_path / "start")
    before = predict(model, dev, spec, RANKS)
    theirs_spec = spec.model_copy(update={"model": str(tmp_path / "start")})
    kind = model.kind
    trainer = trainer_for(theirs_spec, kind.architecture, model.head.out_features, encoded, str(tmp_path / "hf"))
    sampler = Given([np.concatenate(list(training_batches(encoded, 9, spec.seed, epoch))) for epoch in (0, 1)])
    trainer._get_train_sampler = lambda *_: sampler
    trainer.train()
    train(model, encoded, spec, RANKS)
    ours, trainers = predict(model, dev, spec, RANKS), predicted(trainer, dev)
    if name == "squad1":
        ours, trainers = centred(ours, dev), centred(trainers, dev)
    np.testing.assert_allclose(trainers, ours, atol=2e-4)
    assert np.abs(ours - (centred(before, dev) if name == "squad1" else before)).max() > 0.01, "nothing was learnt"


def centred(logits: np.ndarray, split: EncodedSplit) -> np.ndarray:
    """Less their mean in each window. A softmax over places does not see the head's bias: its gradient is rounding
    alone, which Adam makes steps of.
    """
    parts = np.split(logits, np.cumsum(split.lengths_i)[:-1])
    return np.concatenate([part - part.mean(0) for part in parts])


def test_both_decay_the_same_weights(planned: Callable[..., Plan], tmp_path: Path) -> None:
    spec = planned("cola").runs[0].spec
    model, encoded, _ = started(spec, tmp_path / "start")
    trainer = trainer_for(spec, model.kind.architecture, 2, encoded, str(tmp_path))
    groups = [trainer.create_optimizer().param_groups, optimiser_for(model, spec, fused=True).param_groups]
    numbers = [
        {group["weight_decay"] * ("decayed" not in group or group["decayed"]): 0 for group in side} for side in groups
    ]
    assert set(numbers[0]) == {0.0, 0.01} == set(numbers[1])
    counts = [sorted(sum(tensor.numel() for tensor in group["params"]) for group in side) for side in groups]
    assert counts[0] == counts[1]


def test_the_trainer_groups_by_length_and_predicts_in_order(planned: Callable[..., Plan], tmp_path: Path) -> None:
    spec = planned("rte").runs[0].spec
    model, encoded, dev = started(spec, tmp_path / "start")
    spec = spec.model_copy(update={"model": str(tmp_path / "start"), "dropout": 0.0, "batch_size": 2})
    trainer = trainer_for(spec, model.kind.architecture, 2, encoded, str(tmp_path))
    assert type(trainer._get_train_sampler()).__name__ == "LengthGroupedSampler"
    np.testing.assert_allclose(predicted(trainer, dev), predict(model, dev, spec, RANKS), atol=1e-5)


def test_the_recipe_is_handed_over(planned: Callable[..., Plan], tmp_path: Path) -> None:
    spec = planned("cola").runs[0].spec
    told: dict[str, Any] = {"learning_rate": 3e-4, "batch_size": 5, "epochs": 1.5, "weight_decay": 0.2}
    told |= {"adam_beta1": 0.8, "adam_beta2": 0.9, "adam_epsilon": 1e-5, "gradient_clip": 0.5, "seed": 4}
    _, encoded, _ = started(spec, tmp_path / "start")
    spec = spec.model_copy(update=told)
    trainer = trainer_for(spec, "BertForSequenceClassification", 2, encoded, str(tmp_path))
    names = {
        "batch_size": "per_device_train_batch_size",
        "epochs": "num_train_epochs",
        "gradient_clip": "max_grad_norm",
    }
    assert {name: getattr(trainer.args, names.get(name, name)) for name in told} == told
    assert trainer.model.config.hidden_dropout_prob == 0.1  # left out: as the model's configuration says
    assert isinstance(trainer, transformers.Trainer)
    # Two steps an epoch, three in all: the rate rises for one, and the last still moves.
    rates = []
    for _ in range(3):
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates == pytest.approx([3e-4, 2e-4, 1e-4])


def test_a_kind_that_is_not_compared_is_refused(model_folder: Path, data: Path, tmp_path: Path) -> None:
    spec = RunSpec(task="swag", model=str(model_folder), data=data / "glue", output=tmp_path)
    with pytest.raises(FinetuningError, match="choice tasks are not compared"):
        theirs(spec, Clock())
