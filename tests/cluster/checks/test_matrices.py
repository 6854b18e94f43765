"""Products that are wrong and devices that are slow."""

import pytest
import torch

from cluster.checks.matrices import Product, difference, faults, measure, summary


def product(host: str, tflops: float, wrong: str = "") -> Product:
    return Product(host=host, rank=0, device="GPU 1 (X)", size=8192, dtype="bfloat16", tflops=tflops, wrong=wrong)


def test_a_slow_device_is_named() -> None:
    found = [product("n1", 600.0), product("n2", 610.0), product("n3", 300.0)]
    (sentence,) = faults(found, 0.7)
    assert sentence.startswith(
        "n3, GPU 1 (X): 300 TFLOP/s, 50% of the median of all devices (600); see whether it is hot"
    )
    assert faults(found, 0.4) == faults(found, 0.0) == []
    assert summary(found) == "bfloat16 8192³, median 600 TFLOP/s, slowest 300 (n3, GPU 1 (X))"


def test_a_wrong_product_is_named() -> None:
    (sentence,) = faults([product("n1", 600.0), product("n2", 600.0, "entry [0, 8] is 1 and not 2")], 0.7)
    assert sentence.startswith(
        "n2, GPU 1 (X): the product of two matrices is wrong (entry [0, 8] is 1 and not 2); leave"
    )
    assert "`--exclude=n2`" in sentence


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_is_right_and_another_entry_is_not(dtype: torch.dtype) -> None:
    left, right = (torch.randint(-2, 3, (256, 256), generator=torch.Generator().manual_seed(n)).float() for n in (0, 1))
    exact = left @ right
    assert difference(left.to(dtype), right.to(dtype), exact.to(dtype)) == ""
    broken = exact.to(dtype).clone()
    broken[8, 12] = 1000.0
    assert difference(left.to(dtype), right.to(dtype), broken) == f"entry [8, 12] is 1000 and not {exact[8, 12]:g}"
    broken[8, 12] = torch.nan
    assert "is nan and not" in difference(left.to(dtype), right.to(dtype), broken)


def test_the_product_of_this_cpu_is_right() -> None:
    found = measure("n1", 0, torch.device("cpu"))
    assert (found.device, found.size, found.dtype, found.wrong) == ("CPU", 1024, "float32", "")
    assert found.tflops > 0
