"""Which precision a run takes on devices that are not here."""

import pytest

from pretraining.devices.abilities import Abilities, gpu_abilities
from pretraining.devices.precision import Asked, choose_precision, require_fp8_products
from pretraining.errors import PretrainingError

V100, T4 = gpu_abilities("Tesla V100-SXM2-32GB", (7, 0)), gpu_abilities("Tesla T4", (7, 5))
A100, H100 = gpu_abilities("NVIDIA A100-SXM4-80GB", (8, 0)), gpu_abilities("NVIDIA H100 80GB HBM3", (9, 0))
NEW_CPU, OLD_CPU = Abilities("new", None, has_bfloat16=True), Abilities("old", None, has_bfloat16=False)


@pytest.mark.parametrize(
    ("device", "precision", "why"),
    [
        (A100, "bf16", "compute capability 8.0"),
        (H100, "bf16", "compute capability 9.0"),
        (V100, "fp16", "has no bfloat16"),
        (T4, "fp16", "compute capability 7.5"),
        (NEW_CPU, "bf16", "has instructions for it"),
        (OLD_CPU, "fp32", "no instructions for bf16"),
    ],
)
def test_left_open_it_is_what_the_device_has(device: Abilities, precision: str, why: str) -> None:
    choice = choose_precision("auto", device)
    assert choice.precision == precision
    assert why in choice.reason
    assert f"training.precision is {precision}" in choice.reason


def test_an_old_gpu_without_zero_computes_in_float32() -> None:
    choice = choose_precision("auto", V100, stage=0)
    assert choice.precision == "fp32"
    assert "ZeRO stage 1" in choice.reason


@pytest.mark.parametrize("device", [V100, T4, A100, NEW_CPU, OLD_CPU])
@pytest.mark.parametrize("asked", ["fp32", "fp16"])
def test_what_a_recipe_says_is_obeyed_without_a_word(asked: Asked, device: Abilities) -> None:
    choice = choose_precision(asked, device)
    assert (choice.precision, choice.reason) == (asked, "")


@pytest.mark.parametrize("device", [V100, T4])
def test_bfloat16_is_refused_where_a_gpu_has_none(device: Abilities) -> None:
    with pytest.raises(PretrainingError, match=r'compute capability 7\.\d\) has no bfloat16.*"fp16"'):
        choose_precision("bf16", device)


def test_bfloat16_is_slow_on_an_old_cpu_but_not_in_silence() -> None:
    assert choose_precision("bf16", NEW_CPU).reason == ""
    choice = choose_precision("bf16", OLD_CPU)
    assert choice.precision == "bf16"
    assert "emulated" in choice.reason


@pytest.mark.parametrize("device", [V100, T4, A100, NEW_CPU])
def test_fp8_is_refused_where_there_are_no_products_in_it(device: Abilities) -> None:
    with pytest.raises(PretrainingError, match=r'linear_layers = "fp8" needs .* 8\.9 or above, not '):
        require_fp8_products(device)


@pytest.mark.parametrize("capability", [(8, 9), (9, 0), (12, 0)])
def test_fp8_from_ada_on(capability: tuple[int, int]) -> None:
    require_fp8_products(gpu_abilities("a GPU", capability))
