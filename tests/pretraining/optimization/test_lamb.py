"""LAMB by hand, on whole and on cut-up parameters; and what it refuses."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pretraining.errors import PretrainingError
from pretraining.optimization.lamb import FlatLayout, Lamb, Segment
from pretraining.optimization.lamb_layout import _layout, attach_lamb
from pretraining.optimization.zero_layout import FlatGroup, Part


def expected_step(
    weight: torch.Tensor, gradients: list[torch.Tensor], decay: float, adapt: bool, corrected: bool = True
) -> tuple[torch.Tensor, float]:
    """Algorithm 2 of You et al. in float64, learning rate 0.1; returns the weight and the last ratio."""
    weight = weight.double()
    mean = square = torch.zeros_like(weight)
    ratio = 1.0
    for step, gradient in enumerate(gradients, start=1):
        mean = 0.9 * mean + 0.1 * gradient.double()
        square = 0.999 * square + 0.001 * gradient.double() ** 2
        first, second = (1 - 0.9**step, 1 - 0.999**step) if corrected else (1.0, 1.0)
        update = mean / first / ((square / second).sqrt() + 1e-6) + decay * weight
        if adapt:
            ratio = float(weight.norm() / update.norm()) if weight.norm() > 0 and update.norm() > 0 else 1.0
        weight = weight - 0.1 * ratio * update
    return weight, ratio


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize(("decay", "adapt"), [(0.1, True), (0.0, True), (0.0, False)])
def test_two_steps_by_hand(decay: float, adapt: bool, corrected: bool) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(4, 3))
    start, gradients = weight.detach().clone(), [torch.randn(4, 3), torch.randn(4, 3)]
    group = {"params": [weight], "weight_decay": decay, "adapt": adapt}
    lamb = Lamb([group], lr=0.1, bias_correction=corrected)
    for gradient in gradients:
        weight.grad = gradient.clone()
        lamb.step()
    expected, ratio = expected_step(start, gradients, decay, adapt, corrected)
    torch.testing.assert_close(weight.detach().double(), expected, atol=1e-6, rtol=1e-6)
    if adapt:
        assert lamb.trust_ratios[weight].tolist() == pytest.approx([ratio], rel=1e-6)


def test_stacked_matrices_have_their_own_ratios() -> None:
    torch.manual_seed(0)
    stacked = nn.Parameter(torch.randn(6, 2) * torch.tensor([1.0, 1, 5, 5, 9, 9])[:, None])
    stacked.stacked = 3  # type: ignore[attr-defined]
    start, gradient = stacked.detach().clone(), torch.randn(6, 2)
    lamb = Lamb([stacked], lr=0.1)
    stacked.grad = gradient.clone()
    lamb.step()
    for block in range(3):
        rows = slice(2 * block, 2 * block + 2)
        expected, ratio = expected_step(start[rows], [gradient[rows]], 0.01, True)
        torch.testing.assert_close(stacked.detach()[rows].double(), expected, atol=1e-6, rtol=1e-6)
        assert lamb.trust_ratios[stacked][block].item() == pytest.approx(ratio, rel=1e-6)


def test_a_weight_of_zeros_takes_an_adam_step() -> None:
    weight = nn.Parameter(torch.zeros(3))
    lamb = Lamb([weight], lr=0.1)
    weight.grad = torch.ones(3)
    lamb.step()
    torch.testing.assert_close(weight.detach(), torch.full((3,), -0.1), atol=1e-6, rtol=0)


def test_a_flat_tensor_is_scaled_segment_by_segment_and_padding_counts_for_nothing() -> None:
    torch.manual_seed(0)
    flat = nn.Parameter(torch.cat([torch.randn(4), torch.randn(3) * 7, torch.full((2,), 1e6)]))
    start, gradient = flat.detach().clone(), torch.randn(9)
    lamb = Lamb([nn.Parameter(torch.zeros(1))], lr=0.1)
    lamb.param_groups[0]["params"] = [flat]
    layout = FlatLayout((Segment(0, 0, 4), Segment(2, 4, 3)), 3, None, flat.device)
    lamb.layout_of = lambda tensor: layout
    flat.grad = gradient.clone()
    lamb.step()
    for part in (slice(0, 4), slice(4, 7)):
        expected, _ = expected_step(start[part], [gradient[part]], 0.01, True)
        torch.testing.assert_close(flat.detach()[part].double(), expected, atol=1e-6, rtol=1e-6)


def test_parts_are_cut_where_a_stacked_matrix_ends() -> None:
    plain, stacked = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(6, 2))
    stacked.stacked = 3  # type: ignore[attr-defined]
    parts = (None, Part(3, 10, 0), Part(0, 2, 7))
    layout = _layout(FlatGroup(torch.zeros(9), (plain, stacked, plain), parts, None), torch.device("cpu"))
    assert layout.owners == 5
    assert layout.segments == (Segment(1, 0, 1), Segment(2, 1, 4), Segment(3, 5, 2), Segment(4, 7, 2))


def test_a_tensor_of_unknown_content_is_refused() -> None:
    weight, flat = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    lamb = Lamb([weight], lr=0.1)
    lamb.param_groups[0]["params"] = [flat]
    flat.grad = torch.ones(3)
    with pytest.raises(PretrainingError, match="call attach_lamb"):
        lamb.step()


class UnknownWrapper(SimpleNamespace):
    """Stands for a DeepSpeed optimiser whose layout is not known."""


@pytest.mark.parametrize("name", ["FP16_UnfusedOptimizer", "BF16_Optimizer", "MiCS_Optimizer"])
def test_a_wrapper_without_shown_equality_is_refused(name: str) -> None:
    wrapper: Any = type(name, (UnknownWrapper,), {})(optimizer=Lamb([nn.Parameter(torch.ones(1))], lr=0.1))
    with pytest.raises(PretrainingError, match=f"DeepSpeed's {name} is not known here"):
        attach_lamb(SimpleNamespace(optimizer=wrapper, device=torch.device("cpu")))


def test_another_optimiser_is_left_alone() -> None:
    attach_lamb(SimpleNamespace(optimizer=torch.optim.AdamW([nn.Parameter(torch.ones(1))]), device="cpu"))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_short_and_long_matrices_have_a_ratio_too(scale: float) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(4, 3) * scale)
    start, gradient = weight.detach().clone(), torch.tensor([[1e-7]]).expand(4, 3) * torch.rand(4, 3)
    lamb = Lamb([weight], lr=0.1, weight_decay=0.0)
    weight.grad = gradient.clone()
    lamb.step()
    expected, ratio = expected_step(start, [gradient], 0.0, True)
    torch.testing.assert_close(weight.detach().double(), expected, atol=1e-7 * scale, rtol=1e-5)
    assert lamb.trust_ratios[weight].tolist() == pytest.approx([ratio], rel=1e-5)
    assert lamb.trust_ratios[weight].dtype == torch.float32


def test_an_update_of_zeros_changes_nothing() -> None:
    weight = nn.Parameter(torch.ones(3))
    lamb = Lamb([weight], lr=0.1, weight_decay=0.0)
    weight.grad = torch.zeros(3)
    lamb.step()
    assert weight.tolist() == [1.0, 1.0, 1.0]
    assert lamb.trust_ratios[weight].tolist() == [1.0]


def test_the_defaults_of_lamb_and_what_it_keeps() -> None:
    weight, left = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2))
    lamb = Lamb([left, weight], lr=0.1)
    group = {name: value for name, value in lamb.param_groups[0].items() if name != "params"}
    assert group == {
        **{"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.01},
        **{"adapt": True, "bias_correction": True},
    }
    weight.grad = torch.ones(3, 2)
    torch.set_default_dtype(torch.float64)
    try:
        assert lamb.step() is None
    finally:
        torch.set_default_dtype(torch.float32)
    assert left.tolist() == [1.0, 1.0]
    assert {name: (value.dtype, tuple(value.shape)) for name, value in lamb.state[weight].items()} == {
        "step": (torch.float32, ()),
        "exp_avg": (torch.float32, (3, 2)),
        "exp_avg_sq": (torch.float32, (3, 2)),
    }


def test_a_closure_is_refused() -> None:
    with pytest.raises(PretrainingError, match="takes no closure"):
        Lamb([nn.Parameter(torch.ones(1))], lr=0.1).step(lambda: 1.0)


def test_norms_of_other_ranks_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """This rank holds a part of matrix 0, another rank the rest of it and all of matrix 1."""
    group = object()
    elsewhere = torch.tensor([[9.0, 4.0], [16.0, 1.0]], dtype=torch.float64)

    def all_reduce(norms: torch.Tensor, group: object) -> None:
        calls.append((group, norms.dtype))
        norms += elsewhere

    calls: list[tuple[object, torch.dtype]] = []
    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    flat = nn.Parameter(torch.full((4,), 2.0))
    lamb = Lamb([nn.Parameter(torch.zeros(1))], lr=0.1, weight_decay=0.0)
    lamb.param_groups[0]["params"] = [flat]
    layouts = {flat: FlatLayout((Segment(0, 1, 3),), 2, group, flat.device)}  # type: ignore[arg-type]
    lamb.layout_of = layouts.__getitem__
    flat.grad = torch.ones(4)
    lamb.step()
    assert calls == [(group, torch.float64)]
    ratio = ((12 + 9) / (3 / (1 + 1e-6) ** 2 + 16)) ** 0.5
    assert lamb.trust_ratios[flat].tolist() == pytest.approx([ratio, 2.0], rel=1e-6)
    assert flat.tolist() == pytest.approx([1.9, *(2 - 0.1 * ratio,) * 3], rel=1e-6)


def test_norms_lie_where_the_ranks_communicate(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_reduce(norms: torch.Tensor, group: object) -> None:
        assert (norms.device.type, norms.dtype, norms.shape) == ("meta", torch.float64, (2, 1))
        raise KeyboardInterrupt  # what follows needs values

    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    weight = nn.Parameter(torch.ones(3))
    lamb = Lamb([weight], lr=0.1)
    layout = FlatLayout((Segment(0, 0, 3),), 1, object(), torch.device("meta"))  # type: ignore[arg-type]
    lamb.layout_of = lambda tensor: layout
    weight.grad = torch.ones(3)
    with pytest.raises(KeyboardInterrupt):
        lamb.step()


def test_a_rank_that_holds_nothing_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("torch.distributed.all_reduce", lambda norms, group: calls.append(norms.tolist()))
    flat = nn.Parameter(torch.full((2,), 3.0))
    lamb = Lamb([flat], lr=0.1, weight_decay=0.0)
    layout = FlatLayout((), 1, object(), flat.device)  # type: ignore[arg-type]
    assert layout.owner_of_segment.dtype == torch.int64
    lamb.layout_of = lambda tensor: layout
    flat.grad = torch.zeros(2)
    lamb.step()
    assert calls == [[[0.0], [0.0]]]
    assert flat.tolist() == [3.0, 3.0]


def test_the_layout_of_a_whole_parameter_is_made_once() -> None:
    weight = nn.Parameter(torch.ones(3))
    lamb = Lamb([weight], lr=0.1)
    assert lamb._layout(weight) is lamb._layout(weight)
    assert lamb._layout(weight) == FlatLayout((Segment(0, 0, 3),), 1, None, weight.device)


class FakeEngine(SimpleNamespace):
    """As much of a DeepSpeed engine as `attach_lamb` looks at."""


def test_lamb_under_zero_follows_flat_tensors_that_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    lamb, weight = Lamb([nn.Parameter(torch.ones(1))], lr=0.1), nn.Parameter(torch.zeros(2, 3))
    first, second = torch.zeros(4), torch.zeros(4)
    flats, asked = [first], []

    def flat_groups(engine: Any) -> list[FlatGroup]:
        asked.append(engine)
        return [FlatGroup(flat, (weight,), (Part(1, 5, 0),), "group") for flat in flats]

    monkeypatch.setattr("pretraining.optimization.lamb_layout.flat_groups", flat_groups)
    engine = FakeEngine(optimizer=SimpleNamespace(optimizer=lamb), device=torch.device("meta"))
    attach_lamb(engine)
    assert asked == [engine]
    assert lamb.layout_of is not None
    layout = FlatLayout((Segment(0, 0, 4),), 1, "group", torch.device("meta"))  # type: ignore[arg-type]
    assert lamb.layout_of(first) == lamb.layout_of(first) == layout
    assert asked == [engine] * 2  # read once, and once before the first step
    flats[:] = [second]
    assert lamb.layout_of(second) == layout
    with pytest.raises(PretrainingError, match="no ZeRO partition"):
        lamb.layout_of(first)


def test_lamb_that_holds_the_models_own_parameters_needs_no_layout() -> None:
    lamb = Lamb([nn.Parameter(torch.ones(1))], lr=0.1)
    attach_lamb(FakeEngine(optimizer=lamb, device=torch.device("cpu")))
    assert lamb.layout_of is None


def test_a_parameter_that_zero_3_took_away_has_the_size_it_had() -> None:
    away = nn.Parameter(torch.zeros(0))
    away.ds_numel, away.stacked = 12, 3  # type: ignore[attr-defined]
    group = FlatGroup(torch.zeros(6), (away,), (Part(2, 8, 1),), None)
    assert _layout(group, torch.device("cpu")).segments == (Segment(0, 1, 2), Segment(1, 3, 4))


@pytest.mark.parametrize(
    ("part", "segments"),
    [
        (Part(0, 5, 3), (Segment(0, 3, 4), Segment(1, 7, 1))),
        (Part(3, 4, 0), (Segment(0, 0, 1),)),
        (Part(4, 8, 0), (Segment(1, 0, 4),)),
        (Part(0, 12, 0), (Segment(0, 0, 4), Segment(1, 4, 4), Segment(2, 8, 4))),
    ],
)
def test_every_element_of_a_part_has_its_matrix(part: Part, segments: tuple[Segment, ...]) -> None:
    stacked = nn.Parameter(torch.zeros(6, 2))
    stacked.stacked = 3  # type: ignore[attr-defined]
    group = FlatGroup(torch.zeros(20), (stacked,), (part,), None)
    assert _layout(group, torch.device("cpu")).segments == segments
