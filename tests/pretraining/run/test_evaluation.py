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
from tests.recorded_progress import RecordedProgress


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
    progress = RecordedProgress()
    found = held_out.evaluate(Engine(model), progress)
    assert progress.ends == [("evaluate", held_out.micro_batches, held_out.micro_batches)]
    assert held_out.micro_batches == sum(-(-len(group) // 8) for group in held_out.by_source.values())
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
        means = {key: value for key, value in vars(figures).items() if not key.endswith("_error")}
        for key, value in means.items():
            assert getattr(fixed[name], key) == pytest.approx(value, abs=1e-6), (name, key)


class Losses:
    """An engine of made-up losses: `slope` times the length, and noise; one masked token is guessed right."""

    device = torch.device("cpu")

    def __init__(self, slope: float, noise: float, seed: int) -> None:
        self.slope, self.noise = slope, noise
        self.generator = torch.Generator().manual_seed(seed)
        self.seen: list[torch.Tensor] = []

    def __call__(self, batch: PackedBatch) -> PreTrainingSums:
        assert batch.masked_indices_m is not None
        lengths_s = batch.cu_seqlens.diff().double()
        loss_s = self.slope * lengths_s + self.noise * torch.randn(len(lengths_s), generator=self.generator).double()
        masked_s = torch.bucketize(batch.masked_indices_m, batch.cu_seqlens[1:], right=True).bincount()
        self.seen.append(torch.stack([loss_s, masked_s.double()]))
        counts = (torch.tensor(1), torch.tensor(0), masked_s.sum(), torch.tensor(len(lengths_s)))
        return PreTrainingSums((loss_s * masked_s).sum(), loss_s.sum(), *counts)

    def eval(self) -> None: ...

    def train(self) -> None: ...


def test_errors_are_those_of_the_means(examples: Examples) -> None:
    """Against the variance of the mean over many draws of the noise, and for losses that follow from the length alone
    against the deviation of the examples: lengths are drawn with them.
    """
    held_out = HeldOut(examples, limit=1000, micro_batch_size=5)
    draws = [held_out.evaluate(Losses(0.0, 1.0, seed))["all"] for seed in range(70)]
    for key in ("mlm_loss", "nsp_loss"):
        real = np.std([getattr(draw, key) for draw in draws])
        said = np.sqrt(np.mean([getattr(draw, f"{key}_error") ** 2 for draw in draws]))
        assert said == pytest.approx(real, rel=0.2), key
    engine = Losses(0.5, 0.0, 0)
    found = held_out.evaluate(engine)["all"]
    loss_s, masked_s = torch.cat(engine.seen, 1)
    assert found.nsp_loss_error == pytest.approx(float(loss_s.std()) / len(loss_s) ** 0.5, rel=0.05)
    residual_s = (loss_s - found.mlm_loss) * masked_s
    assert found.mlm_loss_error == pytest.approx(float((residual_s**2).sum().sqrt() / masked_s.sum()), rel=0.15)
    both = (loss_s - found.nsp_loss) / len(loss_s) + residual_s / masked_s.sum()
    assert found.loss_error == pytest.approx(float((both**2).sum().sqrt()), rel=0.15)


def test_too_few_micro_batches_tell_no_error(examples: Examples) -> None:
    found = HeldOut(examples, limit=1000, micro_batch_size=200).evaluate(Losses(0.0, 1.0, 0))
    assert [figures.loss_error for figures in found.values()] == [None] * len(found)


def test_limit_takes_a_fixed_sample(examples: Examples) -> None:
    first, second = (HeldOut(examples, limit=40, micro_batch_size=8) for _ in range(2))
    assert len(first) == 40
    assert all((first.by_source[name] == second.by_source[name]).all() for name in SOURCES)


def test_nothing_held_out(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "s", heldout_rows=0)
    assert len(HeldOut(Examples(open_shard_sets([folder], 32, None), "heldout", 32), 100, 8)) == 0
