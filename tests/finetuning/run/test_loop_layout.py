"""What a batch teaches does not depend on how it is computed: on ranks, forward passes, or what lies beside a row."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from finetuning.kinds.batches import collate, keyed
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.loading import kind_of, load_task, read_split
from finetuning.kinds.model import TaskModel
from finetuning.kinds.scoring import labels_of
from finetuning.run.loop import _step, predict
from finetuning.run.ranks import Ranks
from finetuning.run.specification import RunSpec
from finetuning.run.start import load_start, set_dropout

TASKS = ["cola", "stsb", "swag", "conll2003", "squad2", "goemotions"]
"""One of every kind."""
CPU = torch.device("cpu")


@pytest.fixture
def started(
    request: pytest.FixtureRequest, model_folder: Path, benchmark_data: Path, tmp_path: Path
) -> tuple[TaskModel, EncodedSplit, RunSpec]:
    """The model of a task, as a run by the defaults has it, and its training split."""
    task = load_task(request.param)
    rows = read_split(task, "train", benchmark_data)
    assert rows is not None
    labels, _ = labels_of(task, {"train": rows, **dict.fromkeys(task.dev, rows)})
    spec = RunSpec(task=request.param, model=str(model_folder), output=tmp_path)
    start = load_start(spec, task)
    model = TaskModel(start.encoder, kind_of(task), len(labels)).train()
    return model, kind_of(task).encode(task, rows.rows, start.tokenizer, labels, 96), spec


class Engine:
    """Only adds gradients up, as all engines do before they step."""

    def __init__(self, model: TaskModel) -> None:
        self.model = model

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        loss.backward()

    def step(self, step: int) -> None:
        raise AssertionError


def learnt(model: TaskModel, split: EncodedSplit, spec: RunSpec, ranks: int, epoch: int = 0) -> tuple[float, Tensor]:
    """Loss and gradient of the whole split as one batch, summed over the ranks."""
    model.zero_grad()
    torch.manual_seed(ranks)
    items = np.arange(split.items)
    shares = [_step(Engine(model), model, split, items, spec, Ranks(r, ranks, CPU), epoch) for r in range(ranks)]
    gradients = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    return float(sum(shares)), torch.cat(gradients)


@pytest.mark.parametrize("started", TASKS, indirect=True)
def test_ranks_and_passes_change_nothing(started: tuple[TaskModel, EncodedSplit, RunSpec]) -> None:
    """With the dropout of the model's configuration."""
    model, split, spec = started
    loss, gradient = learnt(model, split, spec, ranks=1)
    for ranks, pieces in [(1, 60), (2, 16384), (3, 60)]:
        other, its_gradient = learnt(model, split, spec.model_copy(update={"micro_batch_pieces": pieces}), ranks)
        assert other == pytest.approx(loss, rel=1e-5)
        assert (its_gradient - gradient).norm() < 1e-5 * gradient.norm()


@pytest.mark.parametrize("started", TASKS, indirect=True)
def test_epochs_and_seeds_draw_other_dropout(started: tuple[TaskModel, EncodedSplit, RunSpec]) -> None:
    model, split, spec = started
    loss, _ = learnt(model, split, spec, ranks=1)
    assert abs(learnt(model, split, spec, ranks=1, epoch=1)[0] - loss) > 1e-5
    assert abs(learnt(model, split, spec.model_copy(update={"seed": 2}), ranks=1)[0] - loss) > 1e-5


@pytest.mark.parametrize("started", TASKS, indirect=True)
def test_a_row_is_answered_alike_in_any_company(started: tuple[TaskModel, EncodedSplit, RunSpec]) -> None:
    """Training, with dropout: the head's is that of the row too."""
    model, split, _ = started
    sizes = model.kind.logits_of_items(split)
    together = np.array([2, 0, 1])
    logits = model(keyed(collate(split, together), split, 1, 0))
    alone = [model(keyed(collate(split, np.array([item])), split, 1, 0)) for item in together]
    assert [len(part) for part in alone] == [sizes[item] for item in together]
    torch.testing.assert_close(logits, torch.cat(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("started", ["cola", "swag"], indirect=True)
def test_no_two_draws_of_a_run_have_one_key(started: tuple[TaskModel, EncodedSplit, RunSpec]) -> None:
    _, split, _ = started
    batch = collate(split, np.arange(split.items))
    keys = [keyed(batch, split, 1, epoch).packed.dropout_keys_s for epoch in range(3)]
    assert all(len(key) == split.items * split.group for key in keys)
    assert len(torch.cat(keys).unique()) == 3 * split.items * split.group


@pytest.mark.parametrize("started", TASKS, indirect=True)
def test_answers_are_without_dropout(started: tuple[TaskModel, EncodedSplit, RunSpec]) -> None:
    model, split, spec = started
    answers = predict(model, split, spec, Ranks(0, 1, CPU))
    assert model.training, "training goes on as before"
    set_dropout(model, 0.0)
    np.testing.assert_allclose(answers, predict(model, split, spec, Ranks(0, 1, CPU)), atol=1e-6)
    with torch.no_grad():
        logits = model(collate(split, np.arange(split.items)))
    np.testing.assert_allclose(answers, logits.numpy(), atol=1e-5)


@pytest.mark.parametrize("started", TASKS, indirect=True)
def test_a_head_drops_out_in_training(started: tuple[TaskModel, EncodedSplit, RunSpec]) -> None:
    """A tenth of what it reads, as in the released code, where SQuAD's does not."""
    model, split, spec = started
    set_dropout(model.encoder, 0.0)
    batch = keyed(collate(split, np.arange(split.items)), split, spec.seed, 0)
    with torch.no_grad():
        model.head.weight.copy_(torch.eye(*model.head.weight.shape))
        trained, answered = model.train()(batch), model.eval()(batch)
    if model.kind.name == "span":
        assert torch.equal(trained, answered)
    else:
        # The identity shows the first features: each is dropped, or larger by what the dropped ones leave out.
        kept = trained.flatten() / answered.flatten()
        assert set(kept.mul(0.9).round(decimals=3).tolist()) <= {0.0, 1.0}
        assert 1.0 in kept.mul(0.9).round(decimals=3)
