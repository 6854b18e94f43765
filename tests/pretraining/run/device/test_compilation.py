"""Compiled layers: one graph for all of them, as on CUDA; a compiler that fails is found out before the first step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from pretraining.errors import PretrainingError
from pretraining.model import bert
from pretraining.model.attention_cuda import padded_attention
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.model.sequence_layout import SequenceLayout
from pretraining.run.device import compilation
from pretraining.run.device.compilation import compile_alike, compile_layers, why_not

MakeBatch = Callable[..., PackedBatch]
SHAPES = ([5, 9, 3], [12, 4], [7, 7, 7, 7], [3, 30, 8])


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


@pytest.fixture
def as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention as CUDA has it, on the CPU: what is traced there, without its device."""

    def attention(qkv_t3hd: torch.Tensor, layout: SequenceLayout, dropout: float, *_: Any) -> torch.Tensor:
        return padded_attention(qkv_t3hd, layout, dropout)

    monkeypatch.setattr(bert, "packed_attention", attention)
    monkeypatch.setattr(bert, "cpu_precision", lambda *_: None)  # rows are filled up on the CPU alone
    monkeypatch.setattr(SequenceLayout, "of", classmethod(lambda cls, edges, longest: cls(edges, longest, ())))


@pytest.fixture
def one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation.dist, "get_world_size", lambda: 1)
    monkeypatch.setattr(compilation.dist, "all_gather_object", lambda found, own: found.__setitem__(0, own))


@pytest.mark.usefixtures("as_on_cuda")
def test_all_layers_and_shapes_are_one_graph(small_config: BertConfig, make_batch: MakeBatch) -> None:
    dropouts = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    config = small_config.model_copy(update={"num_hidden_layers": 4, **dropouts})
    model = BertForPreTraining(config).train()
    for part in (*model.bert.layers, model.mlm_head):
        part.compile(dynamic=True, fullgraph=True, backend="aot_eager")
    for lengths in SHAPES:
        model(make_batch(lengths)).loss(1, 1).backward()
    assert graphs() == 2  # a layer, and the head
    model(make_batch([20])).loss(1, 1).backward()
    assert graphs() == 3  # a layer of a single sequence is another
    assert not counters["graph_break"]


@pytest.mark.slow
@pytest.mark.usefixtures("as_on_cuda")
def test_the_whole_model_is_one_graph_too(small_config: BertConfig, make_batch: MakeBatch) -> None:
    model = BertForPreTraining(small_config).train()
    model.compile(dynamic=True, fullgraph=True, backend="aot_eager")
    for lengths in SHAPES:
        model(make_batch(lengths)).loss(1, 1).backward()
    assert graphs() == 1


def graphs() -> int:
    """Compiled since the test began."""
    return int(counters["stats"]["unique_graphs"])


@pytest.mark.slow
@pytest.mark.usefixtures("one_rank")
def test_compiled_layers_compute_the_same(small_config: BertConfig, make_batch: MakeBatch) -> None:
    model = BertForPreTraining(small_config)
    names, batches = list(model.state_dict()), [replace(make_batch(lengths)) for lengths in SHAPES[:2]]
    results = []
    for compiled in (False, True):
        if compiled:
            assert compile_alike(model, torch.device("cpu"), "fp32", asked=True) is None
        model.zero_grad()
        losses = [model(batch).loss(1, 1) for batch in batches]
        torch.stack(losses).sum().backward()
        results.append([*losses, *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(plain, other, atol=1e-5, rtol=1e-4)
    assert list(model.state_dict()) == names
    assert all(layer._compiled_call_impl is not None for layer in model.bert.layers)


def broken(self: torch.nn.Module, **settings: Any) -> None:
    """Compiles as on a machine without a compiler."""

    def backend(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("Failed to find C compiler.\nPlease specify via CC environment variable")

    torch.nn.Module.compile(self, backend=backend, **settings)


@pytest.mark.usefixtures("one_rank", "as_on_cuda")
def test_a_compiler_that_fails_is_left_out(small_config: BertConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bert.Layer, "compile", broken)
    model = BertForPreTraining(small_config)
    said = compile_alike(model, torch.device("cpu"), "bf16", asked=False)
    assert said is not None
    assert said.startswith("model.compile is off: torch.compile does not work on rank 0 (")
    assert "Failed to find C compiler" in said
    assert "\n" not in said
    assert all(layer._compiled_call_impl is None for layer in model.bert.layers)


@pytest.mark.usefixtures("one_rank", "as_on_cuda")
def test_a_compiler_that_fails_where_it_was_asked_for(
    small_config: BertConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bert.Layer, "compile", broken)
    with pytest.raises(PretrainingError, match=r"model.compile is true and .*C compiler.*model.compile to false"):
        compile_alike(BertForPreTraining(small_config), torch.device("cpu"), "fp32", asked=True)


def test_one_rank_that_cannot_is_enough(small_config: BertConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(found: list[str | None], own: str | None) -> None:
        found[:] = [own, "no compiler there"]

    monkeypatch.setattr(compilation.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(compilation.dist, "all_gather_object", gather)
    monkeypatch.setattr(compilation, "why_not", lambda *_: None)
    model = BertForPreTraining(small_config)
    said = compile_alike(model, torch.device("cpu"), "fp32", asked=False)
    assert said == "model.compile is off: torch.compile does not work on rank 1 (no compiler there)"
    assert all(layer._compiled_call_impl is None for layer in model.bert.layers)


@pytest.mark.usefixtures("as_on_cuda")
def test_the_trial_leaves_the_model_alone(small_config: BertConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bert.Layer, "compile", lambda self, **settings: torch.nn.Module.compile(self, backend="eager", **settings)
    )
    model = BertForPreTraining(small_config).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert why_not(model, torch.device("cpu"), "bf16") is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    compile_layers(model)
    assert not any(part.training for part in model.modules())
