"""The peak that MFU is a share of."""

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

from pretraining.configuration.tables import Recipe
from pretraining.run import peak


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def recipe(**output: float) -> Recipe:
    return Recipe.model_validate(
        {"training": {"steps": 1, "batch_size": 1, "micro_batch_size": 1, "precision": "bf16"}, "output": output}
    )


def test_what_the_recipe_says_goes_first(alone: None) -> None:
    assert peak.peak_flops(recipe(peak_tflops=3.0), torch.device("cpu")) == 3e12


def test_the_cpu_is_measured(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "measure_matmul_tflops", lambda dtype, device: 0.25 if dtype == torch.bfloat16 else 0.0)
    assert peak.peak_flops(recipe(), torch.device("cpu")) == 0.25e12


@pytest.mark.parametrize(
    ("name", "expected"), [("NVIDIA H100 PCIe", 756.0), ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", 12.5)]
)
def test_a_gpu_has_its_datasheets_or_is_measured(
    name: str, expected: float, alone: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a stand-in for the GPU: the sum over ranks is made on the CPU."""

    class Gpu:
        type = "cuda"

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    monkeypatch.setattr(peak, "measure_matmul_tflops", lambda dtype, device: 12.5)
    tensor = torch.tensor
    monkeypatch.setattr(torch, "tensor", lambda value, dtype, device: tensor(value, dtype=dtype))
    assert peak.peak_flops(recipe(), Gpu()) == expected * 1e12  # type: ignore[arg-type]
    assert ("no datasheet figure for NVIDIA A100-SXM4-40GB MIG" in capsys.readouterr().err) == (expected == 12.5)
