"""Held-out figures equal a plain computation over all examples, in all and by source."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from benchmarks.synthetic_shards import SOURCES, write_shards
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.loss import PreTrainingSums
from pretraining.model.packing import PackedBatch
from pretraining.run.evaluation import HeldOut


class Engine:
    """The model where DeepSpeed's engine would stand."""

    device = torch.device("cpu")

    def __init__(self, model: BertForPreTraining) -> None:
        self.model = model

    def __call__(self, batch: PackedBatch) -> PreTrainingSums:
        return self.model(batch)

    def eval(self) -> None:
        self.model.eval()

    def train(self) -> None:
        self.model.train()


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    folder = write_shards(tmp_path / "shards", heldout_rows=37, rows=4, shards=3)
    return Examples(open_shard_sets([folder], 32, None), "heldout", 32)


def test_figures(examples: Examples) -> None:
    torch.manual_seed(1)
    model = BertForPreTraining(BertConfig.named("tiny", vocab_size=65, hidden_size=32, intermediate_size=64))
    held_out = HeldOut(examples, limit=1000, micro_batch_size=8)
    assert len(held_out) == 111
    found = held_out.evaluate(Engine(model))
    assert model.training
    assert found.keys() == {"all", *SOURCES}
    model.eval()
    documents = np.concatenate([examples.shards.column(shard, "document_a").to_numpy() for shard in range(3)])
    groups = {"all": np.arange(111), **{name: np.flatnonzero(documents % 2 == i) for i, name in enumerate(SOURCES)}}
    for name, rows in groups.items():
        with torch.no_grad():
            sums = model(examples.pack(rows))
        masked_tokens = int(sums.masked_tokens)
        assert found[name].sequences == len(rows)
        assert found[name].masked_tokens == masked_tokens
        assert found[name].mlm_loss == pytest.approx(float(sums.mlm_loss_sum) / masked_tokens, abs=1e-5)
        assert found[name].mlm_accuracy == int(sums.mlm_correct) / masked_tokens
        assert found[name].nsp_accuracy == int(sums.nsp_correct) / len(rows)
        assert found[name].loss == found[name].mlm_loss + found[name].nsp_loss


@pytest.mark.parametrize("size", [5, 8, 200])
def test_figures_with_fixed_shapes_are_the_same(size: int, examples: Examples) -> None:
    """All micro-batches have one shape, with as many examples as before."""
    torch.manual_seed(1)
    model = BertForPreTraining(BertConfig.named("tiny", vocab_size=65, hidden_size=32, intermediate_size=64))
    engine = Engine(model)
    shapes, sequences = [], []

    class Watching(Engine):
        def __call__(self, batch: PackedBatch) -> PreTrainingSums:
            tensors = (batch.input_ids_t, batch.cu_seqlens, batch.masked_indices_m, batch.is_random_next_s)
            shapes.append((*(len(tensor) for tensor in tensors), batch.max_length))
            sequences.append(batch.sequences)
            return super().__call__(batch)

    plain = HeldOut(examples, 1000, size).evaluate(engine)
    fixed = HeldOut(examples, 1000, size, fixed_shapes=True).evaluate(Watching(model))
    assert len(set(shapes)) == 1
    assert len(shapes) == sum(-(-plain[name].sequences // size) for name in SOURCES)
    assert max(sequences) <= size
    for name, figures in plain.items():
        for key, value in vars(figures).items():
            assert getattr(fixed[name], key) == pytest.approx(value, abs=1e-6), (name, key)


def test_limit_takes_a_fixed_sample(examples: Examples) -> None:
    first, second = (HeldOut(examples, limit=40, micro_batch_size=8) for _ in range(2))
    assert len(first) == 40
    assert all((first.by_source[name] == second.by_source[name]).all() for name in SOURCES)


def test_nothing_held_out(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "s", heldout_rows=0)
    assert len(HeldOut(Examples(open_shard_sets([folder], 32, None), "heldout", 32), 100, 8)) == 0
