"""Attention in every way that a GPU computes it: next to float64 on the CPU, with and without dropout."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pretraining.model import attention_cuda
from pretraining.model.attention import packed_attention
from pretraining.model.sequence_layout import SequenceLayout

Waits = Callable[[], AbstractContextManager[None]]
Route = Callable[[Tensor, SequenceLayout, float], Tensor]
LENGTHS = {
    "mixed": [128, 128, 77, 40, 8, 3, 1],
    "one sequence": [128],
    "one token": [1],
    "all of one token": [1, 1, 1],
    "longest": [512],
    "long and short": [512, 1, 511, 2, 64],
    "equal": [128] * 16,
}
# Relative to the norm of the reference: what rounding to the operands' precision leaves (8 and 11 bits of mantissa).
TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1e-2}
HALF = (torch.float16, torch.bfloat16)


ROUTES: dict[str, tuple[Route, tuple[torch.dtype, ...]]] = {
    "flash": (attention_cuda.flash_attention, HALF),
    "padded": (attention_cuda.padded_attention, tuple(TOLERANCE)),
}
CASES = [(name, dtype) for name, (_, dtypes) in ROUTES.items() for dtype in dtypes]


def route_on(name: str, device: torch.device) -> Route:
    if name == "flash" and device.type != "cuda":
        pytest.skip("flash attention is a kernel of GPUs")
    return ROUTES[name][0]


def layout_of(lengths: list[int], device: torch.device) -> SequenceLayout:
    cu_seqlens = torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)
    return SequenceLayout.of(cu_seqlens.to(device), max(lengths))


def expected(qkv_t3hd: Tensor, lengths: list[int], masks: list[Tensor] | None = None) -> Tensor:
    """Sequence by sequence in float64; `masks[i]` [h, l, l] multiplies the weights of sequence i."""
    contexts = []
    for number, part in enumerate(qkv_t3hd.split(lengths)):
        query, key, value = part.transpose(0, 2).unbind(1)
        weights = (query @ key.mT / qkv_t3hd.shape[-1] ** 0.5).softmax(-1)
        contexts.append(((weights if masks is None else weights * masks[number]) @ value).transpose(0, 1))
    return torch.cat(contexts)


def made_up(tokens: int, heads: int, size: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Query, key and value on the device, and the gradient of the output."""
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(tokens, 3, heads, size, generator=generator).to(device, dtype).requires_grad_()
    return qkv, torch.randn(tokens, heads, size, generator=generator).to(device, dtype)


def check(
    route: Route,
    lengths: list[int],
    heads: int,
    size: int,
    dtype: torch.dtype,
    device: torch.device,
    masks: list[Tensor] | None = None,
) -> None:
    """Output and gradient of a route without dropout, as far from float64 as the precision allows."""
    qkv, grad = made_up(sum(lengths), heads, size, dtype, device)
    ours = route(qkv, layout_of(lengths, device), 0.0)
    assert ours.shape == (sum(lengths), heads, size)
    assert ours.dtype == dtype
    (ours_grad,) = torch.autograd.grad(ours, qkv, grad)
    exact = qkv.detach().cpu().double().requires_grad_()
    plain = expected(exact, lengths, masks)
    (plain_grad,) = torch.autograd.grad(plain, exact, grad.cpu().double())
    for what, found, reference in (("output", ours, plain), ("gradient", ours_grad, plain_grad)):
        found = found.detach().cpu().double()
        for part, wanted in zip(found.split(lengths), reference.detach().split(lengths), strict=True):
            # The gradients of one token's query and key are exactly 0: their size tells nothing.
            scale = max(wanted.norm().item(), 1e-2 * wanted.numel() ** 0.5)
            assert (part - wanted).norm().item() <= TOLERANCE[dtype] * scale, what


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_every_route_equals_float64(name: str, dtype: torch.dtype, lengths: list[int], device: torch.device) -> None:
    check(route_on(name, device), lengths, heads=4, size=64, dtype=dtype, device=device)


@pytest.mark.parametrize("size", [8, 12, 16, 32, 64, 96, 128])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_route_that_is_chosen_serves_every_head_size(dtype: torch.dtype, size: int, device: torch.device) -> None:
    check(packed_attention, [40, 7, 1], heads=3, size=size, dtype=dtype, device=device)


@pytest.mark.parametrize("size", [12, 64])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_choice_for_older_devices(
    dtype: torch.dtype, size: int, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capability 7.5 has no flash attention: what is chosen there does not call it, and is right."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))

    def flash(*_: object, **__: object) -> None:
        raise AssertionError("flash attention needs capability 8.0")

    monkeypatch.setattr(attention_cuda, "flash_attention", flash)
    check(attention_cuda.attention_on_cuda, [40, 7, 1], heads=3, size=size, dtype=dtype, device=device)


# Of 64 keys each value is one row of the identity: the output is the matrix of weights itself.
EYE = 64


def weights_after_dropout(
    route: Route, dtype: torch.dtype, sequences: int, heads: int, p: float, seed: int, device: torch.device
) -> Tensor:
    """[s, h, l, l] weights after dropout where all were equal before: 0, or 1 / (1 − p) of their size."""
    qkv = torch.zeros(sequences * EYE, 3, heads, EYE, device=device, dtype=dtype)
    qkv[:, 2] = torch.eye(EYE, device=device, dtype=dtype).repeat(sequences, 1)[:, None]
    torch.manual_seed(seed)
    context = route(qkv, layout_of([EYE] * sequences, device), p)
    return context.unflatten(0, (sequences, EYE)).transpose(1, 2).float().cpu() * EYE


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_dropout_drops_its_share_and_scales_the_rest(
    name: str, dtype: torch.dtype, device: torch.device, request: pytest.FixtureRequest
) -> None:
    route = route_on(name, device)
    if name == "padded" and dtype in HALF and device.type == "cuda":
        # On an H200 with torch 2.11 one pair of 2,016 masks was correlated by 0.106 in torch's own kernel: too much for
        # chance (seven deviations), and not explained yet.
        request.applymarker(pytest.mark.xfail(strict=False))
    weights = weights_after_dropout(route, dtype, sequences=8, heads=8, p=0.25, seed=3, device=device)
    kept = weights != 0
    torch.testing.assert_close(weights[kept], torch.full_like(weights[kept], 1 / 0.75), atol=0, rtol=1e-2)
    # 262,144 draws: five deviations are 0.004. Flash attention rounds the probability to a 256th.
    assert (~kept).float().mean().item() == pytest.approx(0.25, abs=0.006)
    flat = kept.flatten(0, 1).flatten(1).float()
    correlation = torch.corrcoef(flat).fill_diagonal_(0)
    assert correlation.abs().max().item() < 0.1, "sequences and heads drop alike"


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_a_seed_repeats_the_dropout_of_a_call_and_the_next_call_differs(
    name: str, dtype: torch.dtype, device: torch.device
) -> None:
    route, layout = route_on(name, device), layout_of([100, 28], device)
    qkv, _ = made_up(128, 4, 64, dtype, device)
    torch.manual_seed(5)
    first, second = (route(qkv, layout, 0.1) for _ in range(2))
    torch.manual_seed(5)
    again = route(qkv, layout, 0.1)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_the_gradient_is_that_of_the_weights_that_were_kept(
    name: str, dtype: torch.dtype, device: torch.device
) -> None:
    """The mask is read from weights that are all equal, and serves as the reference's; one seed for both."""
    sequences, heads, p = 3, 2, 0.25
    route = route_on(name, device)
    masks = list(weights_after_dropout(route, dtype, sequences, heads, p, 11, device).double())
    masks = [torch.where(mask != 0, 1 / (1 - p), 0.0) for mask in masks]

    def seeded(qkv: Tensor, layout: SequenceLayout, _: float) -> Tensor:
        torch.manual_seed(11)
        return route(qkv, layout, p)

    check(seeded, [EYE] * sequences, heads, EYE, dtype, device, masks)


@pytest.mark.parametrize("name", ROUTES)
def test_recomputed_activations_drop_the_same(name: str, device: torch.device) -> None:
    route, layout = route_on(name, device), layout_of([60, 40], device)
    qkv, grad = made_up(100, 4, 64, torch.bfloat16, device)
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(9)
        arguments = (qkv, layout, 0.3)
        out = checkpoint(route, *arguments, use_reentrant=False) if recompute else route(*arguments)
        gradients.append(torch.autograd.grad(out, qkv, grad)[0])
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_host_never_waits(dtype: torch.dtype, dropout: float, device: torch.device, never_waits: Waits) -> None:
    qkv, grad = made_up(100, 4, 64, dtype, device)
    layout = layout_of([60, 40], device)
    packed_attention(qkv, layout, dropout).backward(grad)  # what is made once may wait
    with never_waits():
        packed_attention(qkv, layout, dropout).backward(grad)
