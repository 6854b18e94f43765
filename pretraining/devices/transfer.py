"""Tensors of the host, brought to the device of a rank without waiting for it."""

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The same tensor on `device`; to a GPU through pinned memory, so that the host goes on while it is copied.

    A copy from other memory, and `torch.tensor(…, device=…)`, make the host wait until all that is queued is done.
    """
    if device.type == "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
