"""The micro-batch that `auto` stands for."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretraining.configuration.deepspeed import communication
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.planning.memory import parameter_sizes
from pretraining.planning.micro_batch import (
    CPU_TOKENS,
    GPU_RESERVE,
    Device,
    largest_micro_batch,
    planned_memory,
)

RECIPE = Recipe.model_validate(
    {
        "model": {"size": "large"},
        "training": {"steps": 9, "batch_size": 65_536, "micro_batch_size": "auto", "precision": "bf16"},
        "optimizer": {"name": "lamb"},
    }
)
CONFIG = RECIPE.model.build(30_522)
H100 = Device(80 * 10**9, True)


def with_batch(batch_size: int, **training: object) -> Recipe:
    return RECIPE.model_copy(
        update={"training": RECIPE.training.model_copy(update={"batch_size": batch_size, **training})}
    )


@settings(max_examples=20)
@given(
    gigabytes=st.integers(12, 200),
    ranks=st.sampled_from([1, 2, 3, 8, 64]),
    share=st.integers(1, 1000),
    flash=st.booleans(),
)
def test_it_divides_fits_and_no_larger_one_does(gigabytes: int, ranks: int, share: int, flash: bool) -> None:
    recipe, device = with_batch(ranks * share), Device(gigabytes * 10**9, True, flash)
    try:
        size = largest_micro_batch(recipe, CONFIG, ranks, device).size
    except PretrainingError:
        size = 0
    else:
        assert share % size == 0
        assert planned_memory(recipe, CONFIG, ranks, size, device).total <= device.usable_bytes
    for larger in (number for number in range(size + 1, share + 1) if share % number == 0):
        assert planned_memory(recipe, CONFIG, ranks, larger, device).total > device.usable_bytes


def test_more_memory_never_gives_less() -> None:
    sizes = [largest_micro_batch(RECIPE, CONFIG, 64, Device(n * 10**9, True)).size for n in range(16, 200, 8)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_an_80_gb_card_takes_half_of_its_share_at_once() -> None:
    """64 sequences take 13 GiB; a share of 1,024 divides into 512, and all of it does not fit."""
    choice = largest_micro_batch(RECIPE, CONFIG, 64, H100)
    assert choice.size == 512
    assert 4 * planned_memory(RECIPE, CONFIG, 64, 64, H100).total < choice.planned_bytes <= H100.usable_bytes
    assert planned_memory(RECIPE, CONFIG, 64, 1024, H100).total > H100.usable_bytes
    assert "1024 sequences a rank and step" in choice.reason


def test_what_takes_more_gets_less() -> None:
    tight = Device(24 * 10**9, True)
    size = largest_micro_batch(RECIPE, CONFIG, 8, tight).size
    assert largest_micro_batch(RECIPE, CONFIG, 8, replace(tight, has_flash_attention=False)).size <= size
    assert largest_micro_batch(with_batch(65_536, precision="fp32"), CONFIG, 8, tight).size < size
    leaner = RECIPE.model_copy(update={"model": RECIPE.model.model_copy(update={"activation_checkpointing": True})})
    assert largest_micro_batch(leaner, CONFIG, 8, tight).size > size


def test_where_nothing_fits_the_sentence_says_what_to_do() -> None:
    with pytest.raises(PretrainingError, match=r"one sequence of 128 is planned .*activation_checkpointing"):
        largest_micro_batch(RECIPE, CONFIG, 1, Device(8 * 10**9, True))
    assert Device(GPU_RESERVE - 1, True).usable_bytes == 0


@pytest.mark.parametrize(("length", "expected"), [(128, CPU_TOKENS // 128), (512, CPU_TOKENS // 512)])
def test_a_cpu_is_bounded_by_its_caches(length: int, expected: int) -> None:
    recipe = RECIPE.model_copy(update={"data": RECIPE.data.model_copy(update={"sequence_length": length})})
    choice = largest_micro_batch(recipe, CONFIG, 2, Device(64 * 2**30, False))
    assert choice.size == expected
    assert "caches" in choice.reason


def buffers(device: Device, ranks: int, stage: int | None = None, **zero: object) -> int:
    """What is planned for buffers where the recipe's table of ZeRO says so."""
    recipe = RECIPE.model_copy(update={"deepspeed": {"zero_optimization": {"stage": 1, **zero}}})
    return planned_memory(recipe, CONFIG, ranks, 64, device, stage).buffers


def test_buckets_are_those_that_a_run_sets() -> None:
    """An eighth of the model, twice with overlap, beside the copy of a rank's partition."""
    sizes = parameter_sizes(CONFIG)
    for stage, ranks, number in ((1, 8, 2), (2, 8, 2), (1, 1, 1)):
        chosen = communication({"stage": stage}, ranks, sizes)
        assert buffers(H100, ranks, stage) == 4 * sum(sizes) // ranks + number * 4 * chosen["reduce_bucket_size"]
    assert buffers(H100, 8, stage=0) == 0
    # DeepSpeed's own at stage 3, with all of the model gathered
    assert buffers(H100, 8, stage=3) == 4 * sum(sizes) // 8 + 4 * (500_000_000 + sum(sizes))


def test_buckets_are_those_that_the_recipe_sets() -> None:
    plain = buffers(H100, 8, reduce_bucket_size=1000, overlap_comm=False)
    assert buffers(H100, 8, reduce_bucket_size=1000) == plain + 4000
    assert buffers(H100, 8, reduce_bucket_size=3000, overlap_comm=False) == plain + 8000


def test_a_bucket_on_the_cpu_takes_no_more_than_the_model() -> None:
    """There DeepSpeed's own is left: memory for 5 · 10⁸ numbers, of which none is written that no gradient needs."""
    cpu, count = Device(64 * 2**30, False), sum(parameter_sizes(CONFIG))
    assert buffers(cpu, 2) == 4 * count // 2 + 4 * count
    assert buffers(cpu, 2, reduce_bucket_size=1000) == 4 * count // 2 + 4000
