"""Steps with numbers that are not finite change nothing."""

from types import SimpleNamespace

import pytest
import torch

from pretraining.run.health.finite import guard_stage_0, spoiling


@pytest.mark.parametrize("value", [0.0, -3.5, 1e30])
def test_a_finite_loss_is_left_as_it_is(value: float) -> None:
    assert spoiling(torch.tensor(value)).item() == 1.0


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_another_spoils_every_gradient(value: float) -> None:
    weight = torch.ones(3, requires_grad=True)
    loss = weight.sum() * 2 + torch.tensor(value)
    (loss * (2 * spoiling(loss))).backward()
    assert weight.grad is not None
    assert weight.grad.isnan().all()


@pytest.mark.parametrize("clip_norm", [0.0, 0.5, 100.0])
def test_updates_at_stage_0_are_those_of_plain_torch(clip_norm: float) -> None:
    ours, plain = (torch.nn.Parameter(torch.tensor([1.0, 2.0])) for _ in range(2))
    engine = SimpleNamespace(optimizer=torch.optim.AdamW([ours], lr=0.1))
    guard_stage_0(engine, clip_norm)
    optimizer = torch.optim.AdamW([plain], lr=0.1)
    for gradient in ([3.0, 4.0], [0.1, 0.2], [-7.0, 1.0]):
        ours.grad, plain.grad = torch.tensor(gradient), torch.tensor(gradient)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_([plain], clip_norm)
        engine.optimizer.step()
        optimizer.step()
        assert engine.optimizer._global_grad_norm == pytest.approx(torch.tensor(gradient).norm().item())
        assert engine.optimizer.overflow is False
    assert torch.equal(ours, plain)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_bad_gradient_at_stage_0_is_left_out(value: float) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    engine = SimpleNamespace(optimizer=torch.optim.AdamW([weight], lr=0.1))
    guard_stage_0(engine, 1.0)
    weight.grad = torch.tensor([1.0, value])
    engine.optimizer.step()
    assert engine.optimizer.overflow is True
    assert torch.equal(weight, torch.ones(2))
    assert not engine.optimizer.state
