"""Linear layers in FP8 next to those in bfloat16: by the hardware on a GPU, and by emulation on the CPU."""

from collections.abc import Callable

import pytest
import torch

from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.fp8_linear import require_fp8, use_fp8
from pretraining.model.packing import PackedBatch


@pytest.mark.parametrize("lengths", [[40, 33, 17, 8, 1], [16, 16], [1]])
def test_loss_and_gradient_are_near_and_rounded(
    lengths: list[int], small_config: BertConfig, make_batch: Callable[..., PackedBatch], device: torch.device
) -> None:
    """E4M3 has 3 bits of mantissa and E5M2 has 2: some per cent of the gradient; numbers of tokens need no multiple."""
    pytest.importorskip("torchao")
    if device.type == "cuda":
        try:
            require_fp8(device)
        except PretrainingError as error:
            pytest.skip(str(error))
    torch.manual_seed(4)
    config = small_config.model_copy(update={"initializer_range": 0.1})
    plain, rounded = BertForPreTraining(config), BertForPreTraining(config)
    rounded.load_state_dict(plain.state_dict())
    use_fp8(rounded.bert, emulate=device.type == "cpu")
    batch = make_batch(lengths).to(device)
    losses, gradients = [], []
    for model in (plain.to(device), rounded.to(device)):
        # On the CPU torchao takes no notice of autocast, and the plain model's own rounding would only blur the two.
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            sums = model(batch)
        loss = sums.loss(sums.masked_tokens, sums.sequences)
        loss.backward()
        losses.append(loss.item())
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    off = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert 1e-4 < off < 0.15
