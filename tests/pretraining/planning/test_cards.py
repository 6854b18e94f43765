"""The table of cards: complete, plausible, and found by the names that torch gives devices."""

import tomllib
from pathlib import Path

import pytest

import pretraining.planning.cards as cards
from pretraining.errors import PretrainingError
from pretraining.planning.cards import Card, card_named, card_names, card_of_device
from pretraining.planning.flops import datasheet_tflops


@pytest.mark.parametrize(
    ("device_name", "name"),
    [
        ("Tesla V100-SXM2-16GB", "v100-sxm2-16gb"),
        ("Tesla V100-PCIE-32GB", "v100-pcie-32gb"),
        ("Tesla V100-SXM3-32GB", "v100-sxm3-32gb"),
        ("Tesla V100S-PCIE-32GB", "v100s-pcie-32gb"),
        ("Tesla T4", "t4"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA A30", "a30"),
        ("NVIDIA A40", "a40"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm-40gb"),
        ("A100-SXM4-40GB", "a100-sxm-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"),
        ("NVIDIA A100-PCIE-40GB", "a100-pcie-40gb"),
        ("NVIDIA A100 80GB PCIe", "a100-pcie-80gb"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("NVIDIA GeForce RTX 3090", "rtx-3090"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA H200", "h200-sxm"),
        ("NVIDIA H200 NVL", "h200-nvl"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("NVIDIA B200", "b200"),
    ],
)
def test_every_device_name_is_its_own_card(device_name: str, name: str) -> None:
    found = card_of_device(device_name)
    assert found is not None
    assert found.name == name
    assert card_named(device_name) is found
    assert card_named(name) is found


@pytest.mark.parametrize(
    "device_name",
    [
        "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA A100-SXM-64GB",
        "Quadro RTX 6000",
        "NVIDIA T400",
        "NVIDIA T4G",
        "NVIDIA H20",
        "cpu",
        "",
    ],
)
def test_what_only_looks_like_a_card_is_unknown(device_name: str) -> None:
    assert card_of_device(device_name) is None
    assert datasheet_tflops(device_name, "bf16") is None


def test_a_form_never_has_another_forms_figure() -> None:
    h100 = [card_named(name).peak_tflops("bf16") for name in ("h100-pcie", "h100-nvl", "h100-sxm")]
    assert h100 == sorted(h100)
    assert len(set(h100)) == 3
    assert card_named("v100-pcie").peak_tflops("fp16") < card_named("v100-sxm2").peak_tflops("fp16")
    assert card_named("a10g").peak_tflops("bf16") < card_named("a10").peak_tflops("bf16")


@pytest.mark.parametrize("name", ["v100", "t4"])
def test_cards_before_ampere_have_no_bfloat16(name: str) -> None:
    card = card_named(name)
    assert not card.has_flash_attention
    with pytest.raises(PretrainingError, match=r"no bfloat16: use --training\.precision fp16"):
        card.peak_tflops("bf16")
    assert card.peak_tflops("fp16") > 0


def test_a_missing_float32_figure_is_said() -> None:
    with pytest.raises(PretrainingError, match="no fp32 figure"):
        card_named("v100-sxm3").peak_tflops("fp32")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(PretrainingError, match=r"'h100-sxn'.*did you mean 'h100-sxm'"):
        card_named("h100-sxn")


@pytest.mark.parametrize("name", card_names())
def test_figures_are_plausible(name: str) -> None:
    """Dense figures: 8 bits are twice 16, 16 at least TF32; each has a source."""
    card: Card = card_named(name)
    assert card.source.startswith("NVIDIA")
    figures = card.tflops
    assert figures["fp16"] > figures.get("fp32", 0)
    assert figures.get("bf16", figures["fp16"]) == figures["fp16"]
    assert ("bf16" in figures) == card.has_flash_attention
    if "tf32" in figures:
        assert figures["tf32"] == pytest.approx(figures["fp16"] / 2, rel=0.03)
    if "fp8" in figures:
        assert figures["fp8"] == pytest.approx(2 * figures["fp16"], rel=0.03)
    assert 15e9 < card.memory_bytes < 200e9
    assert 2e11 < card.bandwidth < 1e13
    assert (card.nvlink > 0) == (card.joined > 1)


def test_no_two_cards_share_a_name() -> None:
    rows = tomllib.loads(Path(cards.__file__).with_name("cards.toml").read_text())
    short = [name for row in rows.values() for name in row.get("short", [])]
    assert len({*rows, *short}) == len(rows) + len(short)
    devices = [frozenset(name.lower().replace("-", " ").split()) for row in rows.values() for name in row["names"]]
    assert len(set(devices)) == len(devices)
