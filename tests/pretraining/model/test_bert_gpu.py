"""The model as a GPU computes it: next to float64 on the CPU, without waits for the device, and compiled."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor

from pretraining.model import attention, attention_cuda, sequence_layout
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.dropout import Dropout
from pretraining.model.loss import PreTrainingSums
from pretraining.model.packing import PackedBatch
from pretraining.planning.memory import memory_per_rank

MakeBatch = Callable[..., PackedBatch]
Waits = Callable[[], AbstractContextManager[None]]
LENGTHS = {"mixed": [40, 33, 17, 8, 1], "one": [40], "equal": [32] * 6}
# Losses and gradients relative to their norm in float64.
PRECISIONS = {
    "fp32": (torch.float32, 1e-5, 1e-4),
    "fp16": (torch.float16, 1e-3, 2e-2),
    "bf16": (torch.bfloat16, 1e-2, 1e-1),
}


@pytest.fixture
def config() -> BertConfig:
    """Two layers, 64 wide, two heads; no dropout."""
    return BertConfig(
        vocab_size=101,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,
    )


def mean_loss(sums: PreTrainingSums) -> Tensor:
    return sums.loss(sums.masked_tokens, sums.sequences)


def gradients(model: torch.nn.Module) -> Tensor:
    return torch.cat([parameter.grad.detach().cpu().double().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("precision", PRECISIONS)
def test_loss_and_gradient_equal_float64(
    precision: str, lengths: list[int], config: BertConfig, make_batch: MakeBatch, device: torch.device
) -> None:
    dtype, loss_tolerance, gradient_tolerance = PRECISIONS[precision]
    torch.manual_seed(3)
    reference = BertForPreTraining(config)
    model = BertForPreTraining(config)
    model.load_state_dict(reference.state_dict())
    model.to(device)
    batch = make_batch(lengths)
    exact = mean_loss(reference.double()(batch))
    exact.backward()
    with torch.autocast(device.type, dtype, enabled=precision != "fp32"):
        sums = model(batch.to(device))
    loss = mean_loss(sums)
    (loss * 64).backward()  # far from float16's smallest numbers, as the scaled loss of a run is
    assert sums.mlm_loss_sum.dtype == sums.nsp_loss_sum.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=loss_tolerance)
    wanted, found = gradients(reference), gradients(model) / 64
    assert (found - wanted).norm().item() <= gradient_tolerance * wanted.norm().item()
    assert found.isfinite().all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_twenty_steps_equal_float64(
    precision: str, config: BertConfig, make_batch: MakeBatch, device: torch.device
) -> None:
    """Plain SGD, which hides no wrong scale as Adam does; the losses of all steps, and where the weights end."""
    dtype, loss_tolerance, _ = PRECISIONS[precision]
    torch.manual_seed(3)
    reference, model = BertForPreTraining(config), BertForPreTraining(config)
    model.load_state_dict(reference.state_dict())
    reference.double()
    model.to(device)
    batches = [make_batch([40, 33, 8 + number], seed=number % 4) for number in range(20)]
    started = torch.cat([parameter.detach().flatten() for parameter in reference.parameters()])

    def losses(model: BertForPreTraining, where: torch.device | str, precise: bool) -> list[float]:
        optimizer, found = torch.optim.SGD(model.parameters(), lr=0.1), []
        for batch in batches:
            with torch.autocast(torch.device(where).type, dtype, enabled=not precise and precision != "fp32"):
                loss = mean_loss(model(batch.to(where)))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
        return found

    wanted, found = losses(reference, "cpu", True), losses(model, device, False)
    assert wanted[-1] < wanted[0] - 0.5
    assert found == pytest.approx(wanted, rel=5 * loss_tolerance)
    ends = [torch.cat([p.detach().cpu().double().flatten() for p in each.parameters()]) for each in (reference, model)]
    assert (ends[1] - ends[0]).norm() <= 20 * loss_tolerance * (ends[0] - started).norm()


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_forward_and_backward_never_wait_for_the_device(
    precision: str, dropout: float, config: BertConfig, make_batch: MakeBatch, device: torch.device, never_waits: Waits
) -> None:
    changes = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model = BertForPreTraining(config.model_copy(update=changes)).to(device).train()
    batch = make_batch(LENGTHS["mixed"]).to(device)

    def micro_batch() -> None:
        with torch.autocast(device.type, PRECISIONS[precision][0], enabled=precision != "fp32"):
            loss = mean_loss(model(batch))
        loss.backward()

    micro_batch()  # what is made once may wait
    with never_waits():
        micro_batch()


@pytest.fixture
def as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Tensor]], None]:
    """as_on_cuda(route): tensors that lie elsewhere take the code of a GPU, with this attention."""

    def take(route: Callable[..., Tensor]) -> None:
        monkeypatch.setattr(attention, "attention_on_cpu", lambda qkv, layout, dropout, *_: route(qkv, layout, dropout))
        monkeypatch.setattr(sequence_layout, "_runs", lambda _: ())
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)

    return take


@pytest.mark.parametrize("route", ["flash_attention", "padded_attention"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_no_number_is_read_from_the_device(
    dtype: torch.dtype, route: str, config: BertConfig, make_batch: MakeBatch, as_on_cuda: Callable[..., None]
) -> None:
    """On a device that has shapes and no numbers, forward and backward: nothing asks for one, or mixes devices."""
    as_on_cuda(getattr(attention_cuda, route))
    changes = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    with torch.device("meta"):
        model = BertForPreTraining(config.model_copy(update=changes)).to(dtype).train()
    loss = mean_loss(model(make_batch(LENGTHS["mixed"]).to("meta")))
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.is_meta for parameter in model.parameters())
    with pytest.raises(RuntimeError, match="meta"):
        loss.item()


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_compiled_it_computes_the_same_over_many_shapes(
    dropout: float, config: BertConfig, make_batch: MakeBatch, device: torch.device, as_on_cuda: Callable[..., None]
) -> None:
    """Ten mixes of lengths: one graph a call, few graphs in all, and without dropout the losses of the plain model.

    On the CPU the code of a GPU is traced, and the graphs are run as they are.
    """
    from torch._dynamo.utils import counters

    if device.type == "cpu":
        as_on_cuda(attention_cuda.padded_attention)
    changes = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    torch.manual_seed(3)
    model = BertForPreTraining(config.model_copy(update=changes)).to(device).train()
    random = torch.Generator().manual_seed(1)
    mixes = [torch.randint(1, 41, (int(n),), generator=random).tolist() for n in torch.randint(2, 9, (10,))]
    batches = [make_batch(mix, seed=number).to(device) for number, mix in enumerate(mixes)]

    def losses() -> list[float]:
        found = []
        for batch in batches:
            with torch.autocast(device.type, torch.bfloat16):
                loss = mean_loss(model(batch))
            loss.backward()
            found.append(loss.item())
        return found

    plain = losses()
    torch._dynamo.reset()
    counters.clear()
    model.compile(dynamic=True, fullgraph=True, backend="inductor" if device.type == "cuda" else "eager")
    compiled = losses()
    print(f"dropout {dropout}: {dict(counters['stats'])}, breaks {dict(counters['graph_break'])}")
    if dropout:  # other random numbers: the mean of ten losses, each with a deviation of about 0.25
        assert sum(compiled) / 10 == pytest.approx(sum(plain) / 10, abs=0.4)
    else:
        assert compiled == pytest.approx(plain, rel=1e-2)
    assert not counters["graph_break"]
    # One for sizes as they come, and some more where a size is 1, or two are equal.
    assert 1 <= counters["stats"]["unique_graphs"] <= 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dropout_of_hidden_states_drops_its_share(dtype: torch.dtype, device: torch.device) -> None:
    """262,144 draws: five deviations are 0.004. The mean is kept, seeds repeat, and the gradient has the same mask."""
    dropout = Dropout(0.25).train()
    ones_th = torch.ones(512, 512, device=device, dtype=dtype, requires_grad=True)
    torch.manual_seed(5)
    first_th, second_th = dropout(ones_th), dropout(ones_th)
    torch.manual_seed(5)
    assert torch.equal(dropout(ones_th), first_th)
    assert not torch.equal(first_th, second_th)
    kept_th = first_th != 0
    assert (~kept_th).double().mean().item() == pytest.approx(0.25, abs=0.006)
    torch.testing.assert_close(first_th[kept_th], torch.full_like(first_th[kept_th], 1 / 0.75), atol=0, rtol=1e-2)
    first_th.sum().backward()
    assert ones_th.grad is not None
    torch.testing.assert_close(ones_th.grad, first_th.detach(), atol=0, rtol=1e-2)
    residual_th = torch.full_like(ones_th, 2.0)
    torch.manual_seed(5)
    torch.testing.assert_close(dropout(ones_th, residual_th), residual_th + first_th, atol=0, rtol=1e-2)


@pytest.mark.parametrize(
    ("length", "sequences", "precision", "dropout"),
    [(128, 64, "bf16", 0.1), (128, 64, "bf16", 0.0), (512, 16, "bf16", 0.1), (128, 64, "fp32", 0.1)],
)
def test_activations_are_as_planned(
    length: int, sequences: int, precision: str, dropout: float, make_batch: MakeBatch, device: torch.device
) -> None:
    """BERT-Large's width in four layers: the peak of forward and backward, beyond weights and gradients.

    On the CPU, where nobody counts bytes, a small model that only has to come to the end.
    """
    on_gpu = device.type == "cuda"
    size, sequences = ("large", sequences) if on_gpu else ("tiny", 2)
    config = BertConfig.named(
        size, num_hidden_layers=4, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    model = BertForPreTraining(config).to(device).train()
    batch = make_batch([length] * sequences, vocab_size=config.vocab_size).to(device)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = 0
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        loss = mean_loss(model(batch))
    loss.backward()
    measured = torch.cuda.max_memory_allocated() - before if on_gpu else 0
    planned = memory_per_rank(
        config,
        stage=0,
        ranks=1,
        precision=precision,
        tokens=length * sequences,
        sequences=sequences,
        longest=length,
        masked=batch.masked_indices_m.numel() if batch.masked_indices_m is not None else 0,
    ).activations
    print(f"{sequences}x{length} {precision} {dropout}: MiB {measured / 2**20:.0f}, planned {planned / 2**20:.0f}")
    assert planned > 0
    if on_gpu:
        assert planned == pytest.approx(measured, rel=0.15)
