"""One step of training: what is clipped, and what decays."""

from pathlib import Path

import pytest
import torch
from torch import nn

from finetuning.kinds.model import TaskModel
from finetuning.kinds.registry import KINDS, kind_named
from finetuning.run.engine import LocalEngine
from finetuning.run.specification import RunSpec
from pretraining.model.bert import BertModel
from pretraining.model.config import BertConfig

CPU = torch.device("cpu")


def spec(**changes: float) -> RunSpec:
    return RunSpec(task="cola", model="m", output=Path("o"), **changes)


@pytest.mark.parametrize(
    ("changes", "norm", "seen"),
    [({}, 10.0, 1.0), ({}, 0.5, 0.5), ({"gradient_clip": 0.0}, 10.0, 10.0), ({"gradient_clip": 2.0}, 10.0, 2.0)],
)
def test_the_optimiser_sees_the_clipped_gradient(
    changes: dict[str, float], norm: float, seen: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Linear(5, 3)
    engine = LocalEngine(model, spec(**changes), 10, CPU)
    direction = nn.functional.normalize(torch.arange(1.0, 19.0), dim=0)
    model.weight.grad, model.bias.grad = norm * direction[:15].view(3, 5), norm * direction[15:]
    found: list[torch.Tensor] = []
    step = engine.optimiser.step

    def watched() -> None:
        found.append(torch.cat([model.weight.grad.flatten(), model.bias.grad]))  # type: ignore[union-attr]
        step()

    monkeypatch.setattr(engine.optimiser, "step", watched)
    engine.step(1)
    torch.testing.assert_close(found, [seen * direction], rtol=1e-5, atol=1e-6)
    assert model.weight.grad is None, "the next batch begins anew"


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_decay_and_biases_and_layer_norms_do_not(kind: str) -> None:
    """as in the released code, which leaves out names with LayerNorm, layer_norm or bias. Without a
    gradient decay is all that a step does.
    """
    model = TaskModel(BertModel(BertConfig.named("tiny", vocab_size=101)), kind_named(kind), 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.rand_like(parameter) + 0.5)
    engine = LocalEngine(model, spec(learning_rate=1.0), 100, CPU)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    engine.step(5)  # half of the warm-up is over
    for name, parameter in model.named_parameters():
        is_left_out = name.endswith("bias") or "norm" in name
        is_trained = kind_named(kind).uses_pooler or not name.startswith("encoder.pooler")
        kept = 1 - 0.5 * 0.01 if is_trained and not is_left_out else 1.0
        torch.testing.assert_close(parameter.detach(), kept * before[name], rtol=1e-6, atol=0, msg=name)
