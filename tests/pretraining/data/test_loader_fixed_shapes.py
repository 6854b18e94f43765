"""A loader with a ladder of shapes: the same examples, counts, losses and gradients, in tensors of few shapes."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.packing import measure
from benchmarks.synthetic_shards import write_shards
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import GlobalBatch, Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.data.shape_ladder import ShapeLadder
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig

BATCH = 24
CUTS = [(1, 1), (1, 4), (2, 2), (3, 1), (4, 3), (8, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("data") / "shards", shards=3, rows=70, full_share=0.4)


@pytest.fixture(scope="module")
def examples(folder: Path) -> Examples:
    return Examples(open_shard_sets([folder], 32, None), "train", 32)


@cache
def ladder_of(examples: Examples, sampler: Sampler, ranks: int, micro_batches: int) -> ShapeLadder:
    return ShapeLadder.of(examples, sampler, BATCH, ranks, micro_batches)


def loader_of(examples: Examples, ranks: int, micro_batches: int, rank: int = 0, *, fixed: bool = True) -> Loader:
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    ladder = ladder_of(examples, sampler, ranks, micro_batches) if fixed else None
    return Loader(examples, sampler, BATCH, micro_batches, rank, ranks, 32, dropout_seed=3, ladder=ladder)


def on_all_ranks(
    examples: Examples, ranks: int, micro_batches: int, position: Position, *, fixed: bool
) -> list[GlobalBatch]:
    """One global batch on every rank."""
    loaders = (loader_of(examples, ranks, micro_batches, rank, fixed=fixed) for rank in range(ranks))
    return [loader.batch_at(position) for loader in loaders]


@settings(max_examples=40, deadline=None)
@given(cut=st.sampled_from(CUTS), epoch=st.integers(0, 3), index=st.integers(0, 209))
def test_counts_examples_and_fingerprint_are_those_without_filler(
    examples: Examples, cut: tuple[int, int], epoch: int, index: int
) -> None:
    filled, plain = (on_all_ranks(examples, *cut, Position(epoch, index), fixed=fixed) for fixed in (True, False))
    for name in ("tokens", "masked_tokens", "sequences", "squared_tokens", "next_position"):
        assert len({getattr(batch, name) for batch in (*filled, *plain)}) == 1, name
    fingerprints = [sum(batch.fingerprint for batch in batches) % 2**64 for batches in (filled, plain)]
    assert fingerprints[0] == fingerprints[1]
    micro_batches = [micro for batch in filled for micro in batch.micro_batches]
    assert sum(micro.tokens for micro in micro_batches) == filled[0].tokens
    assert {micro.sequences for micro in micro_batches} == {BATCH // cut[0] // cut[1]}
    assert {batch.filler_tokens for batch in filled} == {sum(micro.filler_tokens for micro in micro_batches)}
    assert {batch.filler_tokens for batch in plain} == {0}
    real_keys = [
        sorted(key for batch in batches for micro in batch.micro_batches for key in keys_of(micro))
        for batches in (filled, plain)
    ]
    assert real_keys[0] == real_keys[1]


def keys_of(micro: object) -> list[int]:
    return micro.dropout_keys_s[: micro.sequences].tolist()


def test_shapes_are_few_and_the_same_on_all_ranks(examples: Examples) -> None:
    loaders = [loader_of(examples, 2, 2, rank) for rank in range(2)]
    seen = []
    for batches in zip(*(loader.batches(Position(), 60) for loader in loaders), strict=True):
        shapes = [[shapes_of(micro) for micro in batch.micro_batches] for batch in batches]
        assert shapes[0] == shapes[1]
        seen += shapes[0]
    assert len(set(seen)) <= len(loaders[0].ladder.levels) + 1
    assert len({shape[0] for shape in seen}) > 1


def test_the_benchmark_counts_what_the_loader_fills(examples: Examples) -> None:
    figures = measure(examples, (BATCH, 2, 3), steps=7, rounds=1)
    batches = list(loader_of(examples, 2, 4).batches(Position(), 7))
    filler, real = (sum(getattr(batch, name) for batch in batches) for name in ("filler_tokens", "tokens"))
    assert figures["filler_share"] == pytest.approx(filler / (filler + real))
    assert figures["shapes"] == len({shapes_of(micro) for batch in batches for micro in batch.micro_batches})
    assert figures["uneven_share"]["dealt"] <= figures["filler_share"]


def shapes_of(micro: object) -> tuple[int, ...]:
    tensors = (micro.input_ids_t, micro.cu_seqlens, micro.masked_indices_m, micro.masked_labels_m)
    return (*(len(tensor) for tensor in (*tensors, micro.is_random_next_s)), micro.max_length)


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
def test_loss_and_gradient_are_those_without_filler(
    double: bool, examples: Examples, tiny_config: Callable[[int, float], BertConfig]
) -> None:
    """With dropout, for several ways to cut. In float64 the gradient differs by rounding alone."""
    torch.manual_seed(0)
    model = BertForPreTraining(tiny_config(65, 0.1))
    model = model.double() if double else model
    random = np.random.default_rng(4)
    for cut in CUTS:
        position = Position(int(random.integers(3)), int(random.integers(200)))
        results = []
        for fixed in (True, False):
            model.zero_grad()
            totals = torch.zeros(4, dtype=torch.float64)
            for batch in on_all_ranks(examples, *cut, position, fixed=fixed):
                for micro in batch.micro_batches:
                    sums = model(micro)
                    sums.loss(batch.masked_tokens, batch.sequences).backward()
                    totals += torch.stack([value.detach().double() for value in sums[:4]])
                    assert int(sums.sequences) == micro.sequences
                    assert int(sums.masked_tokens) == int((micro.masked_labels_m >= 0).sum())
            gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
            results.append((totals, gradient.clone()))
        (filled, filled_gradient), (plain, plain_gradient) = results
        assert filled[2:].tolist() == plain[2:].tolist()
        assert filled[:2].tolist() == pytest.approx(plain[:2].tolist(), rel=1e-6)  # losses are float32
        difference = (filled_gradient - plain_gradient).norm() / plain_gradient.norm()
        assert difference.item() < (1e-14 if double else 1e-6)
