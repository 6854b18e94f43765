"""The comparison: what runs on the device, half as many sequences where memory is short, padded inputs."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.gpu import step_times
from benchmarks.gpu.kernel_gaps import Kernel
from benchmarks.gpu.step_times import Competition, kernels_of
from benchmarks.gpu.workload import Case, made_up, padded_inputs

GPU, CPU = torch.autograd.DeviceType.CUDA, torch.autograd.DeviceType.CPU


def event(key: str, device: Any, **more: Any) -> Any:
    times = {"self_device_time_total": 3e6, "self_cpu_time_total": 1e6}
    return SimpleNamespace(key=key, count=2, device_type=device, **times, **more)


def test_kernels_are_counted_once() -> None:
    events = [
        event("nvjet", GPU, is_user_annotation=False),
        event("aten::mm", CPU),
        event("Optimizer.step#AdamW.step", GPU),
        event("Torch-Compiled Region: 0/0", GPU),
        event("mine", GPU, is_user_annotation=True),
    ]
    assert kernels_of(events, on_gpu=True) == [Kernel("nvjet", 2, 3.0)]
    assert kernels_of(events, on_gpu=False) == [Kernel("aten::mm", 2, 1.0)]


def test_where_memory_is_short_half_the_sequences_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    said: list[dict[str, Any]] = []

    def compete(bench: Any, ready: Any, case: Case) -> None:
        tried.append(case.sequences)
        if case.sequences > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(step_times, "_compete", compete)
    monkeypatch.setattr(Competition, "enter", lambda *_, **__: [])
    bench: Any = SimpleNamespace(say=lambda part, **line: said.append(line), free=lambda: None)
    step_times.step_times(bench, Competition(), Case("tiny", 16, 8))
    assert tried == [8, 4, 2]
    assert [line["text"] for line in said] == ["8 sequences do not fit, 4 next", "4 sequences do not fit, 2 next"]


def test_one_sequence_that_does_not_fit_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def compete(*_: Any) -> None:
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(step_times, "_compete", compete)
    monkeypatch.setattr(Competition, "enter", lambda *_, **__: [])
    bench: Any = SimpleNamespace(say=lambda *_, **__: None, free=lambda: None)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        step_times.step_times(bench, Competition(), Case("tiny", 16, 1))


def test_both_models_are_given_the_same_examples() -> None:
    from dataclasses import replace

    import transformers

    from pretraining.model.bert import BertForPreTraining
    from pretraining.model.huggingface import to_huggingface_names

    case = Case("tiny", 24, 5)
    packed, work = made_up(case)
    config = case.config.model_copy(update={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    assert work.tokens == packed.tokens < 5 * 24
    ours = BertForPreTraining(config)
    theirs = transformers.BertForPreTraining(transformers.BertConfig(**config.model_dump()))
    state, mine = theirs.state_dict(), ours.state_dict()
    for name, names in to_huggingface_names(ours).items():
        for other, part in zip(names, mine[name].chunk(len(names)), strict=True):
            state[other].copy_(part.reshape(state[other].shape))
    sums = ours(replace(packed, dropout_keys_s=None))
    expected = theirs.eval()(**padded_inputs(packed)).loss
    torch.testing.assert_close(sums.loss(sums.masked_tokens, sums.sequences), expected, atol=1e-4, rtol=1e-5)
