"""Where ZeRO puts parameters, read from stand-ins that hold DeepSpeed's numbers as DeepSpeed does.

That DeepSpeed's own objects hold them so is tested on real processes, in `test_lamb_layout_zero.py`.
"""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pretraining.errors import PretrainingError
from pretraining.optimization.zero_layout import Part, flat_groups, refresh_model


def named(module: str, name: str, **content: Any) -> Any:
    """An object whose class has DeepSpeed's name."""
    return type(name, (SimpleNamespace,), {"__module__": module})(**content)


def stage_2(**content: Any) -> Any:
    return named("deepspeed.runtime.zero.stage_1_and_2", "DeepSpeedZeroOptimizer", **content)


def stage_3(**content: Any) -> Any:
    return named("deepspeed.runtime.zero.stage3", "DeepSpeedZeroOptimizer_Stage3", **content)


def held(start: int, count: int, at: int) -> Any:
    """A parameter of which this rank holds `count` elements from `start` on, at `at` of its flat tensor."""
    model = SimpleNamespace(start=start, numel=count)
    return SimpleNamespace(
        _hp_mapping=SimpleNamespace(lp_fragment_address=model, hp_fragment_address=SimpleNamespace(start=at))
    )


def test_stages_1_and_2() -> None:
    away, first, second = SimpleNamespace(_hp_mapping=None), held(3, 4, 0), held(0, 2, 4)
    flats, ranks = [torch.zeros(6), torch.zeros(1)], [object(), object()]
    inner = stage_2(
        bit16_groups=[[away, first, second], [away]],
        single_partition_of_fp32_groups=flats,
        real_dp_process_group=ranks,
    )
    found = flat_groups(SimpleNamespace(optimizer=inner))
    assert [group.flat for group in found] == [pytest.approx(flat) for flat in flats]
    assert [group.parameters for group in found] == [(away, first, second), (away,)]
    assert [group.parts for group in found] == [(None, Part(3, 7, 0), Part(0, 2, 4)), (None,)]
    assert [group.process_group for group in found] == ranks


def cut(elements: int, ranks: int) -> Any:
    """A parameter as stage 3 cuts it into equal slices, the last one padded."""
    return SimpleNamespace(ds_numel=elements, partition_numel=lambda: -(-elements // ranks))


@pytest.mark.parametrize(
    ("rank", "parts"),
    [
        (0, (Part(0, 3, 0), Part(0, 1, 3), Part(0, 4, 4))),
        (1, (Part(3, 6, 0), Part(1, 2, 3), Part(4, 8, 4))),
        (2, (Part(6, 7, 0), None, Part(8, 12, 4))),
    ],
)
def test_stage_3(rank: int, parts: tuple[Part | None, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = object()
    monkeypatch.setattr("torch.distributed.get_rank", lambda group: rank if group is ranks else -1)
    parameters, flat = [cut(7, 3), cut(2, 3), cut(12, 3)], torch.zeros(8)
    inner = stage_3(dp_process_group=ranks, fp32_partitioned_groups_flat=[flat], fp16_groups=[parameters])
    (found,) = flat_groups(SimpleNamespace(optimizer=inner))
    assert found.flat is flat
    assert (found.parameters, found.parts, found.process_group) == (tuple(parameters), parts, ranks)


@pytest.mark.parametrize("length", [7, 9])
def test_a_flat_tensor_of_another_length_is_refused(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.get_rank", lambda group: 0)
    flats = [torch.zeros(length)]
    inner = stage_3(dp_process_group=None, fp32_partitioned_groups_flat=flats, fp16_groups=[[cut(16, 2)]])
    with pytest.raises(PretrainingError, match="this layout of ZeRO stage 3 is not known here"):
        flat_groups(SimpleNamespace(optimizer=inner))


@pytest.mark.parametrize(
    "inner",
    [
        named("deepspeed.runtime.zero.stage3", "DeepSpeedZeroOptimizer"),
        named("elsewhere", "DeepSpeedZeroOptimizer_Stage3"),
        named("deepspeed.runtime.bf16_optimizer", "BF16_Optimizer"),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_another_wrapper_is_refused(inner: Any) -> None:
    with pytest.raises(PretrainingError, match=f"DeepSpeed's {type(inner).__name__} is not known here"):
        flat_groups(SimpleNamespace(optimizer=inner))


def engine_at(stage: int, inner: Any) -> Any:
    return SimpleNamespace(zero_optimization_stage=lambda: stage, optimizer=inner)


@pytest.mark.parametrize(("stage", "updates"), [(0, 0), (1, 1), (2, 1), (3, 0)])
def test_stages_1_and_2_hand_their_weights_to_the_model_themselves(stage: int, updates: int) -> None:
    calls: list[str] = []
    nothing = dict.fromkeys(
        ("fp32_partitioned_groups_flat", "fp16_partitioned_groups_flat", "fp16_partitioned_groups"), ()
    )
    inner = SimpleNamespace(
        update_lp_params=lambda: calls.append("update"),
        checkpoint_event_prologue=lambda: calls.append("prologue"),
        checkpoint_event_epilogue=lambda: calls.append("epilogue"),
        **nothing,
    )
    refresh_model(engine_at(stage, inner))
    assert calls == (["prologue", "epilogue"] if stage == 3 else ["update"] * updates)


def test_stage_3_copies_its_flat_weights_into_every_partition() -> None:
    flats = [torch.arange(5.0), torch.tensor([7.0])]
    lows = [torch.zeros(5, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.bfloat16)]
    partitions = [
        [SimpleNamespace(data=None, size=2), SimpleNamespace(data=None, size=3)],
        [SimpleNamespace(data=None, size=1)],
    ]
    inner = SimpleNamespace(
        checkpoint_event_prologue=lambda: None,
        checkpoint_event_epilogue=lambda: None,
        fp32_partitioned_groups_flat=flats,
        fp16_partitioned_groups_flat=lows,
        fp16_partitioned_groups=partitions,
        unflatten=lambda low, parts: low.split([part.size for part in parts]),
    )
    refresh_model(engine_at(3, inner))
    assert [[part.data.tolist() for part in group] for group in partitions] == [[[0.0, 1.0], [2.0, 3.0, 4.0]], [[7.0]]]
    assert {part.data.dtype for group in partitions for part in group} == {torch.bfloat16}
