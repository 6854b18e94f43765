"""What a device can do that a run has to know of before its first step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

AMPERE = (8, 0)
"""The first compute capability with bfloat16, TF32 and the kernels of flash attention."""
ADA = (8, 9)
"""The first with products in FP8."""
VOLTA = (7, 0)
"""The first that Triton, and with it torch.compile, writes kernels for."""


@dataclass(frozen=True)
class Abilities:
    """Of one device."""

    name: str
    compute_capability: tuple[int, int] | None  # None: the CPU
    has_bfloat16: bool  # instructions for it: without them products in bfloat16 are emulated in float32

    @property
    def is_gpu(self) -> bool:
        return self.compute_capability is not None

    @property
    def described(self) -> str:
        """The device in a sentence."""
        if self.compute_capability is None:
            return "this CPU"
        return f"{self.name} (compute capability {self.compute_capability[0]}.{self.compute_capability[1]})"


def gpu_abilities(name: str, compute_capability: tuple[int, int]) -> Abilities:
    """Of an NVIDIA GPU, which has bfloat16 from Ampere on."""
    return Abilities(name, compute_capability, has_bfloat16=compute_capability >= AMPERE)


def abilities_of(device: torch.device) -> Abilities:
    """Of a device of this machine; on the CPU by what the processor says of itself, in microseconds."""
    import torch  # late: the planner knows its devices by name

    if device.type == "cuda":
        return gpu_abilities(torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device))
    processor = torch.cpu.get_capabilities()
    # Processors with AMX have these instructions too.
    return Abilities(str(processor.get("cpu_name", "CPU")), None, bool(processor.get("avx512_bf16", False)))
