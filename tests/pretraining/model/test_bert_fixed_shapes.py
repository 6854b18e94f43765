"""With micro-batches of one shape nothing in the model depends on what is in them: it compiles once.

The CPU takes the way of a GPU here: attention is the flash operation, as fake tensors that have shapes and no values,
or its padded sibling with values. A value that the host would have to wait for does not exist in fake tensors.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._subclasses.fake_tensor import FakeTensorMode

from pretraining.model import attention_cuda, bert
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch, PackedShape
from pretraining.model.sequence_layout import SequenceLayout

SHAPE = PackedShape(tokens=96, sequences=12, masked=24, max_length=16)
LENGTHS = [
    [16, 16, 16, 16, 16],
    [16, 3, 16, 9, 16, 1],
    [1, 1, 1, 1, 1, 1, 16],
    [15, 15, 15, 15, 15],
    [16, 16, 16, 16, 8, 8],
    [2, 16, 16, 16, 10, 5, 9],
    [7, 8, 9, 10, 11, 12, 13],
    [16, 15, 14, 13, 12, 11],
    [4, 16, 12, 16, 8, 16, 2],
    [16, 16, 16, 16, 16, 5],
]


@pytest.fixture
def batches(make_batch: Callable[..., PackedBatch]) -> list[PackedBatch]:
    """Ten micro-batches of other lengths, sequences and masks, of one shape."""
    return [make_batch(lengths, seed=seed).filled(SHAPE) for seed, lengths in enumerate(LENGTHS)]


@pytest.fixture
def model(small_config: BertConfig) -> BertForPreTraining:
    torch.manual_seed(0)
    changes = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    return BertForPreTraining(small_config.model_copy(update=changes))


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], None]]:
    """as_on_a_gpu(way): attention goes this way, and no lengths are read."""

    def take(way: Any) -> None:
        monkeypatch.setattr(bert, "packed_attention", lambda qkv, layout, dropout, *_: way(qkv, layout, dropout))
        monkeypatch.setattr(SequenceLayout, "of", lambda cu_seqlens, longest: SequenceLayout(cu_seqlens, longest, ()))

    torch._dynamo.reset()
    counters.clear()
    yield take
    torch._dynamo.reset()


def with_tensors(model: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    """Each parameter replaced by what `change` makes of it, tied ones by the same."""
    found: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                changed = found.setdefault(id(parameter), nn.Parameter(change(parameter.data)))
                module._parameters[name] = changed


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_flash_attention_compiles_once(
    backend: str, batches: list[PackedBatch], model: BertForPreTraining, as_on_a_gpu: Callable[[Any], None]
) -> None:
    """Forward and backward in bfloat16; fullgraph: a graph break would be an error."""
    as_on_a_gpu(attention_cuda.flash_attention)
    fake = FakeTensorMode()
    with_tensors(model, lambda tensor: fake.from_tensor(tensor.bfloat16()))
    model.compile(backend=backend, fullgraph=True, dynamic=False)
    with fake:
        for batch in batches:
            model(batch._with_tensors(fake.from_tensor)).loss(100, 50).backward()
    assert counters["stats"]["unique_graphs"] == 1
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_without_one_shape_it_compiles_more_than_once(
    make_batch: Callable[..., PackedBatch], model: BertForPreTraining, as_on_a_gpu: Callable[[Any], None]
) -> None:
    as_on_a_gpu(attention_cuda.padded_attention)
    model.double().compile(backend="eager", fullgraph=True, dynamic=False)
    for seed, lengths in enumerate(LENGTHS[:3]):
        model(make_batch(lengths, seed=seed))
    assert counters["stats"]["unique_graphs"] == 3


@pytest.mark.parametrize("training", [True, False])
def test_padded_attention_compiles_once_and_gives_the_same(
    training: bool, batches: list[PackedBatch], model: BertForPreTraining, as_on_a_gpu: Callable[[Any], None]
) -> None:
    """Values and gradients next to those that are not compiled, of the real part alone; in float64, as the products of
    float32 go their own way on the CPU.
    """
    model.double()
    for module in model.modules():
        if hasattr(module, "probability"):
            module.probability = 0.0
        if hasattr(module, "probability_dropout"):
            module.probability_dropout = 0.0
    model.train(training)
    parameters = list(model.parameters())
    wanted = []
    with nullcontext() if training else torch.no_grad():
        for lengths, batch in zip(LENGTHS, batches, strict=True):
            real = first(batch, len(lengths), sum(lengths))
            loss = model(real).loss(100, 50)
            wanted.append((loss.item(), torch.autograd.grad(loss, parameters) if training else ()))
        as_on_a_gpu(attention_cuda.padded_attention)
        model.compile(backend="aot_eager", fullgraph=True, dynamic=False)
        for batch, (loss, gradients) in zip(batches, wanted, strict=True):
            found = model(batch).loss(100, 50)
            assert found.item() == pytest.approx(loss, rel=1e-6)
            if training:
                torch.testing.assert_close(torch.autograd.grad(found, parameters), gradients, atol=1e-12, rtol=1e-9)
    assert counters["stats"]["unique_graphs"] == 1


def test_all_layers_share_one_graph(
    batches: list[PackedBatch], model: BertForPreTraining, as_on_a_gpu: Callable[[Any], None]
) -> None:
    as_on_a_gpu(attention_cuda.padded_attention)
    for layer in model.double().bert.layers:
        layer.compile(backend="eager", fullgraph=True, dynamic=False)
    for batch in batches:
        model(batch).loss(100, 50).backward()
    assert counters["stats"]["unique_graphs"] == 1


def first(batch: PackedBatch, sequences: int, tokens: int) -> PackedBatch:
    """The batch before it was filled."""
    real = batch.masked_labels_m >= 0
    return PackedBatch(
        input_ids_t=batch.input_ids_t[:tokens],
        segment_ids_t=batch.segment_ids_t[:tokens],
        position_ids_t=batch.position_ids_t[:tokens],
        cu_seqlens=batch.cu_seqlens[: sequences + 1],
        max_length=int(batch.cu_seqlens[: sequences + 1].diff().max()),
        masked_indices_m=batch.masked_indices_m[real],
        masked_labels_m=batch.masked_labels_m[real],
        is_random_next_s=batch.is_random_next_s[:sequences],
    )


def test_a_layer_on_fake_cuda_tensors_reads_nothing(
    batches: list[PackedBatch], model: BertForPreTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the ways that are chosen for a GPU of capability 9.0: reading a value would raise. A layer's forward pass
    only, as torch without CUDA neither slices fake CUDA tensors nor makes gradients of them.
    """
    taken = []
    flash = attention_cuda.flash_attention
    monkeypatch.setattr(attention_cuda, "flash_attention", lambda *given: taken.append(given) or flash(*given))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
    fake = FakeTensorMode()

    def on_gpu(tensor: Tensor) -> Tensor:
        dtype = torch.bfloat16 if tensor.is_floating_point() else tensor.dtype
        with fake:
            return torch.empty(tensor.shape, dtype=dtype, device="cuda")

    with_tensors(model, on_gpu)
    hidden_th, cu_seqlens = on_gpu(torch.empty(SHAPE.tokens, 32)), on_gpu(batches[1].cu_seqlens)
    with fake, torch.no_grad():
        result_th = model.bert.layers[0](hidden_th, SequenceLayout.of(cu_seqlens, SHAPE.max_length))
    assert result_th.is_cuda
    assert result_th.shape == hidden_th.shape
    assert len(taken) == 1
