"""Decoder and loss in one function, and the tied embedding's one gradient, next to plain autograd."""

import math
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F

from pretraining.model import masked_token_loss as masked_token_loss_module
from pretraining.model.masked_token_loss import _scores, masked_token_loss
from pretraining.model.tied_embedding import look_up_tied


@pytest.mark.parametrize("at_once", [1, 150, 1 << 18], ids=["one row", "three rows", "all rows"])
@pytest.mark.parametrize("masked", [1, 13])
def test_loss_and_gradients_equal_torch(masked: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_token_loss_module, "SCORES_AT_ONCE", at_once)
    torch.manual_seed(0)
    hidden, decoder, bias = (torch.randn(*shape, requires_grad=True) for shape in ((masked, 8), (50, 8), (50,)))
    labels = torch.randint(0, 50, (masked,))
    ours, correct = masked_token_loss(hidden, decoder, bias, labels)
    scores = F.linear(hidden, decoder, bias)
    plain = F.cross_entropy(scores, labels, reduction="sum")
    assert type(ours.grad_fn).__name__ == "DecoderLossBackward"
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6)
    assert correct.item() == (scores.argmax(1) == labels).sum().item()
    grads = (torch.autograd.grad(loss / 7, (hidden, decoder, bias)) for loss in (ours, plain))
    for our_grad, plain_grad in zip(*grads, strict=True):
        torch.testing.assert_close(our_grad, plain_grad, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["written out", "torch's"])
def test_ignored_labels_count_for_nothing(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    hidden, decoder, bias = (torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in ((6, 8), (50, 8), (50,)))
    with torch.no_grad():
        hidden[3:] = decoder[0]  # what their right answer would be, were -100 taken for a label
    labels = torch.tensor([0, 17, 49, -100, -100, -100])
    filled = masked_token_loss(hidden, decoder, bias, labels)
    real = masked_token_loss(hidden[:3], decoder, bias, labels[:3])
    assert filled[0].item() == pytest.approx(real[0].item(), rel=1e-6)
    assert filled[1].item() == real[1].item()
    grads = [torch.autograd.grad(loss, (hidden, decoder, bias)) for loss, _ in (filled, real)]
    assert not grads[0][0][3:].any()
    for with_filler, without in zip(*grads, strict=True):
        torch.testing.assert_close(with_filler, without, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_behind_the_labels_count_for_nothing(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    shapes = ((16, 8), (50, 8), (50,))
    hidden, decoder, bias = (torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes)
    labels = torch.randint(0, 50, (13,))
    results = []
    for given in (hidden, hidden[:13]):
        loss, correct = masked_token_loss(given, decoder, bias, labels)
        results.append([loss, correct, *torch.autograd.grad(loss, (hidden, decoder, bias))])
    for filled, plain in zip(*results, strict=True):
        torch.testing.assert_close(filled, plain)
    assert not results[0][2][13:].any()


def test_large_scores_do_not_overflow() -> None:
    hidden, decoder = torch.full((1, 1), 1e3), torch.tensor([[1.0], [0.9]])
    loss, correct = masked_token_loss(hidden, decoder, torch.zeros(2), torch.tensor([1]))
    assert loss.item() == pytest.approx(100.0)
    assert correct.item() == 0


@pytest.mark.parametrize("mixed", [True, False], ids=["autocast", "bfloat16"])
def test_in_bfloat16_it_is_within_its_rounding_of_float32(mixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_token_loss_module, "SCORES_AT_ONCE", 150)  # three rows
    torch.manual_seed(0)
    exact = [torch.randn(*shape).bfloat16().float().requires_grad_() for shape in ((13, 8), (50, 8), (50,))]
    labels = torch.tensor([*range(12), -100])
    scores = F.linear(*exact)
    wanted = F.cross_entropy(scores, labels, reduction="sum")
    given = [tensor.detach().to(torch.float32 if mixed else torch.bfloat16).requires_grad_() for tensor in exact]
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss, correct = masked_token_loss(*given, labels)
    assert type(loss.grad_fn).__name__ == "DecoderLossBackward"
    assert (loss.dtype, correct.dtype) == (torch.float32, torch.int64)
    assert loss.item() == pytest.approx(wanted.item(), rel=2e-3)
    assert correct.item() == (scores[:12].argmax(1) == labels[:12]).sum().item()
    grads = (torch.autograd.grad(each / 7, inputs) for each, inputs in ((loss, given), (wanted, exact)))
    for ours, plain, tensor in zip(*grads, given, strict=True):
        assert ours.dtype == tensor.dtype
        torch.testing.assert_close(ours.float(), plain, atol=0.01 * plain.abs().max().item(), rtol=0.01)


def test_float16_is_left_to_torch_and_the_loss_is_float32() -> None:
    hidden, decoder, labels = torch.randn(3, 8).half().requires_grad_(), torch.randn(50, 8).half(), torch.arange(3)
    loss, correct = masked_token_loss(hidden, decoder, torch.zeros(50).half(), labels)
    assert type(loss.grad_fn).__name__ != "DecoderLossBackward"
    assert (loss.dtype, correct.dtype) == (torch.float32, torch.int64)


def test_the_tied_embedding_has_one_gradient_for_both_uses() -> None:
    torch.manual_seed(0)
    weight, ids = torch.randn(50, 8, requires_grad=True), torch.tensor([3, 7, 3, 49])
    grad_rows, grad_decoder = torch.randn(4, 8), torch.randn(50, 8)
    tied = look_up_tied(weight, ids)
    assert tied is not None
    (ours,) = torch.autograd.grad(tied, weight, (grad_rows, grad_decoder.clone()))
    expected = grad_decoder.index_add(0, ids, grad_rows)
    torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(tied[0], weight[ids])


def test_the_embedding_is_left_to_torch_where_zero_3_takes_weights_away() -> None:
    weight = torch.randn(5, 2, requires_grad=True)
    weight.ds_id = 0  # type: ignore[attr-defined]
    assert look_up_tied(weight, torch.tensor([1])) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["written out", "torch's"])
def test_the_first_word_of_the_vocabulary_is_a_label_like_others(dtype: torch.dtype) -> None:
    hidden = torch.tensor([[2.0], [-1.0], [3.0]], dtype=dtype, requires_grad=True)
    decoder, bias = torch.tensor([[1.0], [0.0], [0.0]], dtype=dtype, requires_grad=True), torch.zeros(3, dtype=dtype)
    labels = torch.tensor([0, 0, 0])
    loss, correct = masked_token_loss(hidden, decoder, bias, labels)
    plain = F.cross_entropy(F.linear(hidden, decoder, bias), labels, reduction="sum")
    assert loss.item() == pytest.approx(plain.item(), rel=1e-6)
    assert correct.item() == 2
    ours, theirs = (torch.autograd.grad(value, (hidden, decoder)) for value in (loss, plain))
    for our_grad, plain_grad in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our_grad, plain_grad.to(our_grad.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["written out", "torch's"])
def test_every_position_has_a_highest_score_of_its_own(dtype: torch.dtype) -> None:
    """A position whose scores lie far below another's is right, and loses no digits."""
    hidden, decoder = torch.tensor([[1.0], [-1.0]], dtype=dtype), torch.tensor([[200.0], [201.0]], dtype=dtype)
    loss, correct = masked_token_loss(hidden, decoder, torch.zeros(2, dtype=dtype), torch.tensor([1, 0]))
    assert correct.item() == 2
    assert loss.item() == pytest.approx(2 * math.log1p(math.exp(-1.0)), rel=1e-4)


class Placed(torch.Tensor):
    """A tensor that can say it lies on a GPU; `seen` are the rows of the decoders that products were made with."""

    is_cuda = True  # type: ignore[assignment]
    seen: ClassVar[list[int]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.linear:
            cls.seen.append(args[1].shape[0])
        return super().__torch_function__(func, types, args, kwargs or {})


@pytest.mark.parametrize(
    ("on_gpu", "rows", "filled"),
    [(True, 50, 56), (True, 48, 48), (True, 41, 48), (True, 8, 8), (False, 50, 50), (False, 8, 8)],
)
def test_on_a_gpu_the_vocabulary_is_filled_up_to_a_multiple_of_eight(
    on_gpu: bool, rows: int, filled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Placed, "is_cuda", on_gpu)
    # DeepSpeed puts a function of its own there, for ZeRO stage 3 and for its profiler, and leaves it.
    monkeypatch.setattr(F, "linear", torch._C._nn.linear)
    torch.manual_seed(0)
    hidden, decoder, bias = torch.randn(3, 8, dtype=torch.float64), torch.randn(rows, 8).double(), torch.randn(rows)
    Placed.seen.clear()
    scores = _scores(hidden.as_subclass(Placed), decoder, bias.double())
    assert Placed.seen == [filled]
    torch.testing.assert_close(scores.as_subclass(torch.Tensor), F.linear(hidden, decoder, bias.double()))


def test_equal_highest_scores_count_as_right_and_the_sum_is_no_mean_in_lower_precision() -> None:
    hidden, decoder, labels = torch.ones(4, 8), torch.zeros(5, 8), torch.tensor([0, 1, 2, 4])
    for dtype in (torch.float32, torch.bfloat16):
        loss, correct = masked_token_loss(hidden.to(dtype), decoder.to(dtype), torch.zeros(5, dtype=dtype), labels)
        assert loss.item() == pytest.approx(4 * math.log(5))
        assert correct.item() == 4
