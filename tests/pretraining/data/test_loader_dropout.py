"""Dropout by the loader's keys: the same masks however a global batch is cut, others for every draw of an example."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from benchmarks.synthetic_shards import write_shards
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import GlobalBatch, Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig

BATCH = 8


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    folder = write_shards(tmp_path_factory.mktemp("data") / "shards", shards=2, rows=50, full_share=0.3)
    return Examples(open_shard_sets([folder], 32, None), "train", 32)


def cut_into(
    examples: Examples, ranks: int, micro_batches: int, position: Position, seed: int | None = 3
) -> list[GlobalBatch]:
    """One global batch on every rank."""
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    loaders = [
        Loader(examples, sampler, BATCH, micro_batches, rank, ranks, 32, dropout_seed=seed) for rank in range(ranks)
    ]
    return [loader.batch_at(position) for loader in loaders]


def keys_by_draw(examples: Examples, seed: int, position: Position) -> list[int]:
    """The keys of one global batch in the order of its draws: of a batch that is not cut, undone its sorting."""
    (batch,) = cut_into(examples, 1, 1, position, seed)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    lengths, _ = examples.measure(sampler.draw(position, BATCH)[0])
    keys = np.empty(BATCH, np.int64)
    keys[np.argsort(-lengths, kind="stable")] = batch.micro_batches[0].dropout_keys_s
    return keys.tolist()


def test_a_key_belongs_to_a_draw_and_to_a_seed(examples: Examples) -> None:
    """Steps that overlap, within an epoch and over the end of one, share the keys of the draws that they share."""
    first = keys_by_draw(examples, 3, Position(0, 90))
    over_the_end = keys_by_draw(examples, 3, Position(0, 95))  # an epoch is 100 draws
    next_epoch = keys_by_draw(examples, 3, Position(1, 0))
    assert first == keys_by_draw(examples, 3, Position(0, 90))
    assert over_the_end[:3] == first[5:]
    assert over_the_end[5:] == next_epoch[:3]
    other_epoch, other_seed = keys_by_draw(examples, 3, Position(1, 90)), keys_by_draw(examples, 4, Position(0, 90))
    assert len({*first, *over_the_end, *next_epoch, *other_epoch, *other_seed}) == 8 + 5 + 5 + 8 + 8


def test_without_a_seed_there_are_no_keys(examples: Examples) -> None:
    (batch,) = cut_into(examples, 1, 2, Position(), seed=None)
    assert [micro.dropout_keys_s for micro in batch.micro_batches] == [None, None]


@pytest.mark.parametrize("position", [Position(0, 5), Position(2, 95)], ids=["within an epoch", "over the end of one"])
def test_loss_and_gradient_do_not_depend_on_the_cut(
    examples: Examples, position: Position, tiny_config: Callable[[int, float], BertConfig]
) -> None:
    config = tiny_config(65, 0.1)
    torch.manual_seed(0)
    model = BertForPreTraining(config)
    results = []
    for ranks, micro_batches in ((1, 1), (1, 2), (1, 4), (1, 8), (2, 2), (4, 1), (4, 2)):
        model.zero_grad()
        total = 0.0
        for batch in cut_into(examples, ranks, micro_batches, position):
            for micro in batch.micro_batches:
                loss = model(micro).loss(batch.masked_tokens, batch.sequences)
                loss.backward()
                total += loss.item()
        results.append((total, torch.cat([parameter.grad.flatten() for parameter in model.parameters()])))
    (loss, gradient), *others = results
    for other_loss, other_gradient in others:
        assert other_loss == pytest.approx(loss, rel=1e-6)
        assert ((other_gradient - gradient).norm() / gradient.norm()).item() < 1e-6
