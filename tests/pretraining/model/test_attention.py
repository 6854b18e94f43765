"""Attention within packed sequences: next to a plain computation, its gradient, and which kernel is chosen."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from pretraining.model import attention_cpu, attention_cuda
from pretraining.model.attention import packed_attention
from pretraining.model.sequence_layout import Run, SequenceLayout

LENGTHS = {"one": [6], "equal": [4, 4], "many": [3] * 5, "ragged": [5, 5, 2, 7, 1, 7]}
HEADS, HEAD_SIZE = 3, 4


def layout_of(lengths: list[int]) -> SequenceLayout:
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
    return SequenceLayout.of(cu_seqlens, max(lengths))


def expected(qkv_t3hd: Tensor, lengths: list[int]) -> Tensor:
    """Sequence by sequence, head by head."""
    contexts = []
    for part in qkv_t3hd.split(lengths):
        query, key, value = part.transpose(0, 2).unbind(1)
        contexts.append(((query @ key.mT / HEAD_SIZE**0.5).softmax(-1) @ value).transpose(0, 1))
    return torch.cat(contexts)


def test_neighbours_of_one_length_form_a_run() -> None:
    runs = layout_of([5, 5, 2, 7, 7]).runs
    assert runs == (Run(0, 2, 5), Run(10, 1, 2), Run(12, 2, 7))
    assert runs[2].tokens == slice(12, 26)


@pytest.mark.parametrize("long", [1, 1000], ids=["long", "short"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_attention_equals_the_plain_computation(
    lengths: list[int], dtype: torch.dtype, long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention_cpu, "LONG", long)
    torch.manual_seed(0)
    qkv = torch.randn(sum(lengths), 3, HEADS, HEAD_SIZE, dtype=dtype, requires_grad=True)
    grad = torch.randn(sum(lengths), HEADS, HEAD_SIZE, dtype=dtype)
    ours, plain = packed_attention(qkv, layout_of(lengths), 0.0), expected(qkv, lengths)
    torch.testing.assert_close(ours, plain, atol=1e-6, rtol=1e-5)
    (ours_grad,), (plain_grad,) = (torch.autograd.grad(out, qkv, grad) for out in (ours, plain))
    torch.testing.assert_close(ours_grad, plain_grad, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("keys_t", [None, torch.arange(9)], ids=["from the generator", "from keys"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_gradient_is_that_of_the_forward_pass(dropout: float, keys_t: Tensor | None) -> None:
    qkv = torch.randn(9, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    layout = layout_of([4, 4, 1])

    def attend(value: Tensor) -> Tensor:
        torch.manual_seed(5)  # the same mask at every call
        return packed_attention(value, layout, dropout, keys_t)

    assert torch.autograd.gradcheck(attend, qkv)


def test_dropped_weights_leave_the_mean_alone() -> None:
    torch.manual_seed(0)
    qkv, layout = torch.randn(6, 3, 2, 4), layout_of([6])
    mean = torch.stack([packed_attention(qkv, layout, 0.2) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(mean, packed_attention(qkv, layout, 0.0), atol=0.06, rtol=0)


@pytest.mark.parametrize("long", [1, 1000], ids=["long", "short"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_with_keys_a_sequence_does_not_see_how_the_batch_is_computed(
    lengths: list[int], long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    qkv, keys_t = torch.randn(sum(lengths), 3, HEADS, HEAD_SIZE, dtype=torch.float64), torch.arange(sum(lengths))
    state = torch.get_rng_state()
    parts = zip(qkv.split(lengths), keys_t.split(lengths), lengths, strict=True)
    alone = torch.cat([packed_attention(part, layout_of([n]), 0.4, keys, site=7) for part, keys, n in parts])
    monkeypatch.setattr(attention_cpu, "LONG", long)
    torch.testing.assert_close(packed_attention(qkv, layout_of(lengths), 0.4, keys_t, site=7), alone)
    assert torch.equal(torch.get_rng_state(), state)


def kept_weights(dtype: torch.dtype, keys_t: Tensor, site: int) -> Tensor:
    """[heads, 32, 32], true where a weight is kept: all are equal, and the values are the rows of the identity."""
    qkv = torch.zeros(32, 3, HEADS, 32, dtype=dtype)
    qkv[:, 2] = torch.eye(32)[:, None]
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        context = packed_attention(qkv, layout_of([32]), 0.25, keys_t, site)
    assert context.dtype == dtype
    assert context.max().item() == pytest.approx(1 / 32 / 0.75, rel=1e-2)
    return context.transpose(0, 1) > 0


def test_keys_drop_the_same_weights_in_lower_precision_and_others_by_head_and_site() -> None:
    keys_t = torch.arange(32)
    kept = kept_weights(torch.float32, keys_t, site=1)
    assert torch.equal(kept_weights(torch.bfloat16, keys_t, site=1), kept)
    assert kept.double().mean().item() == pytest.approx(0.75, abs=5 * (0.25 * 0.75 / kept.numel()) ** 0.5)
    masks = torch.cat([kept, kept_weights(torch.float32, keys_t, site=2)]).flatten(1)
    agreement = (masks[:, None] == masks).double().mean(-1)[*torch.triu_indices(len(masks), len(masks), 1)]
    assert agreement.sub(0.625).abs().max().item() < 5 * (0.625 * 0.375 / 32**2) ** 0.5


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_attention_in_lower_precision_is_that_of_float32(
    lengths: list[int], dtype: torch.dtype, dropout: float
) -> None:
    torch.manual_seed(0)
    qkv = torch.randn(sum(lengths), 3, HEADS, HEAD_SIZE, requires_grad=True)
    grad, keys_t, layout = torch.randn(sum(lengths), HEADS, HEAD_SIZE), torch.arange(sum(lengths)), layout_of(lengths)
    exact = packed_attention(qkv, layout, dropout, keys_t)
    with torch.autocast("cpu", torch.bfloat16):  # which a product in float16 must not see
        lower = packed_attention(qkv.to(dtype), layout, dropout, keys_t)
    assert lower.dtype == dtype
    torch.testing.assert_close(lower.float(), exact, atol=0.05, rtol=0.05)
    (exact_grad,), (lower_grad,) = (
        torch.autograd.grad(exact, qkv, grad),
        torch.autograd.grad(lower, qkv, grad.to(dtype)),
    )
    torch.testing.assert_close(lower_grad, exact_grad, atol=0.05, rtol=0.05)


def test_dropped_weights_leave_the_mean_alone_in_lower_precision() -> None:
    """The share kept is no number of bfloat16: rounded before the product it would shift every weight by 0.2 %."""
    torch.manual_seed(0)
    qkv = torch.randn(64, 3, 64, 1).bfloat16()
    qkv[:, 2] = 1  # so that a context is the sum of its weights
    contexts = [packed_attention(qkv, layout_of([64]), 0.1, torch.arange(64), site).double() for site in range(64)]
    found = torch.stack(contexts)
    undropped = packed_attention(qkv, layout_of([64]), 0.0).double().mean().item()
    assert found.mean().item() == pytest.approx(undropped, abs=5 * found.std().item() / found.numel() ** 0.5)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_the_padded_path_of_gpus_equals_the_plain_computation(lengths: list[int]) -> None:
    qkv = torch.randn(sum(lengths), 3, HEADS, HEAD_SIZE, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(sum(lengths), HEADS, HEAD_SIZE, dtype=torch.float64)
    padded, plain = attention_cuda.padded_attention(qkv, layout_of(lengths), 0.0), expected(qkv, lengths)
    torch.testing.assert_close(padded, plain)
    torch.testing.assert_close(*(torch.autograd.grad(out, qkv, grad)[0] for out in (padded, plain)))


@pytest.mark.parametrize(
    ("dtype", "head_size", "capability", "chosen"),
    [
        (torch.bfloat16, 64, (9, 0), "flash_attention"),
        (torch.float16, 64, (8, 0), "flash_attention"),
        (torch.float16, 64, (7, 5), "padded_attention"),
        (torch.bfloat16, 12, (9, 0), "padded_attention"),
        (torch.bfloat16, 264, (9, 0), "padded_attention"),
        (torch.float32, 64, (9, 0), "padded_attention"),
    ],
)
def test_the_kernel_on_gpus(
    dtype: torch.dtype, head_size: int, capability: tuple[int, int], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("flash_attention", "padded_attention"):
        monkeypatch.setattr(attention_cuda, name, lambda *_, name=name: calls.append(name))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    fake: Any = SimpleNamespace(is_cuda=True, dtype=dtype, shape=(2, 3, 1, head_size), device=torch.device("cuda", 0))
    packed_attention(fake, layout_of([2]), 0.1)
    assert calls == [chosen]


def test_flash_attention_gets_the_sequences_as_torch_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def operation(*arguments: Any) -> tuple[Any, ...]:
        given.extend(arguments)
        return arguments[0], None, None

    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", operation)
    qkv, layout = torch.randn(7, 3, HEADS, HEAD_SIZE), layout_of([5, 2])
    attention_cuda.flash_attention(qkv, layout, 0.1)
    for part in range(3):
        assert torch.equal(given[part], qkv[:, part])
    assert given[3] is given[4] is layout.cu_seqlens
    assert given[5:] == [5, 5, 0.1, False, False]
