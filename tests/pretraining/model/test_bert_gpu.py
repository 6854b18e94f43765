"""The model on a CUDA device: next to float64 on the CPU, without waits for the device, and compiled."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.loss import PreTrainingSums
from pretraining.model.packing import PackedBatch
from pretraining.planning.memory import memory_per_rank

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

MakeBatch = Callable[..., PackedBatch]
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
    precision: str, lengths: list[int], config: BertConfig, make_batch: MakeBatch
) -> None:
    dtype, loss_tolerance, gradient_tolerance = PRECISIONS[precision]
    torch.manual_seed(3)
    reference = BertForPreTraining(config)
    model = BertForPreTraining(config)
    model.load_state_dict(reference.state_dict())
    model.cuda()
    batch = make_batch(lengths)
    exact = mean_loss(reference.double()(batch))
    exact.backward()
    with torch.autocast("cuda", dtype, enabled=precision != "fp32"):
        sums = model(batch.to("cuda"))
    loss = mean_loss(sums)
    (loss * 64).backward()  # far from float16's smallest numbers, as the scaled loss of a run is
    assert sums.mlm_loss_sum.dtype == sums.nsp_loss_sum.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=loss_tolerance)
    wanted, found = gradients(reference), gradients(model) / 64
    assert (found - wanted).norm().item() <= gradient_tolerance * wanted.norm().item()
    assert found.isfinite().all()


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_forward_and_backward_never_wait_for_the_device(
    precision: str, dropout: float, config: BertConfig, make_batch: MakeBatch
) -> None:
    changes = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model = BertForPreTraining(config.model_copy(update=changes)).cuda().train()
    batch = make_batch(LENGTHS["mixed"]).to("cuda")

    def micro_batch() -> None:
        with torch.autocast("cuda", PRECISIONS[precision][0], enabled=precision != "fp32"):
            loss = mean_loss(model(batch))
        loss.backward()

    micro_batch()  # what is made once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        micro_batch()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_compiled_it_computes_the_same_over_many_shapes(
    dropout: float, config: BertConfig, make_batch: MakeBatch
) -> None:
    """Ten mixes of lengths: few graphs, and without dropout the losses of the plain model."""
    from torch._dynamo.utils import counters

    changes = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    torch.manual_seed(3)
    model = BertForPreTraining(config.model_copy(update=changes)).cuda().train()
    random = torch.Generator().manual_seed(1)
    mixes = [torch.randint(1, 41, (int(n),), generator=random).tolist() for n in torch.randint(2, 9, (10,))]
    batches = [make_batch(mix, seed=number).to("cuda") for number, mix in enumerate(mixes)]

    def losses() -> list[float]:
        found = []
        for batch in batches:
            with torch.autocast("cuda", torch.bfloat16):
                loss = mean_loss(model(batch))
            loss.backward()
            found.append(loss.item())
        return found

    plain = losses()
    torch._dynamo.reset()
    counters.clear()
    model.compile(dynamic=True)
    compiled = losses()
    print(f"dropout {dropout}: {dict(counters['stats'])}, breaks {dict(counters['graph_break'])}")
    if dropout:  # other random numbers: the mean of ten losses, each with a deviation of about 0.25
        assert sum(compiled) / 10 == pytest.approx(sum(plain) / 10, abs=0.4)
    else:
        assert compiled == pytest.approx(plain, rel=1e-2)
    assert not counters["graph_break"]
    # One for sizes as they come, and some more where a size is 1, or two are equal.
    assert counters["stats"]["unique_graphs"] <= 5


@pytest.mark.parametrize(
    ("length", "sequences", "precision", "dropout"),
    [(128, 64, "bf16", 0.1), (128, 64, "bf16", 0.0), (512, 16, "bf16", 0.1), (128, 64, "fp32", 0.1)],
)
def test_activations_are_as_planned(
    length: int, sequences: int, precision: str, dropout: float, make_batch: MakeBatch
) -> None:
    """BERT-Large's width in four layers: the peak of forward and backward, beyond weights and gradients."""
    config = BertConfig.named(
        "large", num_hidden_layers=4, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    model = BertForPreTraining(config).cuda().train()
    batch = make_batch([length] * sequences, vocab_size=config.vocab_size).to("cuda")
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
        loss = mean_loss(model(batch))
    loss.backward()
    measured = torch.cuda.max_memory_allocated() - before
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
    assert planned == pytest.approx(measured, rel=0.15)
