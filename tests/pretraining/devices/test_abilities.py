"""What a device says of itself."""

from types import MappingProxyType

import pytest
import torch

from pretraining.devices.abilities import abilities_of, gpu_abilities


@pytest.mark.parametrize("has_it", [True, False])
def test_the_cpu_by_its_instructions(has_it: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    capabilities = MappingProxyType({"cpu_name": "Some CPU", "avx512_bf16": has_it})
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    device = abilities_of(torch.device("cpu"))
    assert (device.name, device.has_bfloat16, device.is_gpu) == ("Some CPU", has_it, False)


def test_this_cpu_is_known() -> None:
    assert abilities_of(torch.device("cpu")).has_bfloat16 == torch.cpu.get_capabilities().get("avx512_bf16", False)


@pytest.mark.parametrize(("capability", "has_it"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((10, 0), True)])
def test_a_gpu_by_its_compute_capability(
    capability: tuple[int, int], has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    device = abilities_of(torch.device("cuda", 0))
    assert device == gpu_abilities("Some GPU", capability)
    assert device.has_bfloat16 == has_it
    assert device.described == f"Some GPU (compute capability {capability[0]}.{capability[1]})"
