"""A training step of this model and of `transformers` on the same examples, and the gaps of one to the peak."""

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.contestants import COMPILED, OURS, OURS_COMPILED, Contestant, contestants
from benchmarks.gpu.kernel_gaps import Kernel, floors, gaps
from benchmarks.gpu.workload import Case, made_up, padded_inputs, planned_gib
from pretraining.model.config import BertConfig
from pretraining.planning.flops import Work, training_flops
from pretraining.planning.memory import parameter_count

_ROUNDS = 7
_STEPS = 3  # a round
_COMPILING = 75.0  # seconds that there must be left to begin with a compiled model


class Competition:
    """The models of one size, kept from one length to the next, so that each is compiled once."""

    def __init__(self) -> None:
        self._config: BertConfig | None = None
        self._ready: list[Contestant] = []

    def enter(self, bench: Bench, config: BertConfig, *, fp8: bool) -> list[Contestant]:
        """Those of this size; those of another are forgotten."""
        if config != self._config:
            self._config, self._ready = None, []
            bench.free()
            self._ready, self._config = list(contestants(bench, config, fp8=fp8)), config
        return self._ready


def step_times(bench: Bench, competition: Competition, case: Case, *, fp8: bool = False) -> None:
    """Rounds alternate, so that all see the same machine; where memory is short, with half as many sequences."""
    ready = competition.enter(bench, case.config, fp8=fp8)
    while not _fits(bench, ready, case):
        fewer = Case(case.size, case.length, case.sequences // 2)
        bench.say("note", case=case.name, text=f"{case.sequences} sequences do not fit, {fewer.sequences} next")
        case = fewer


def _fits(bench: Bench, ready: list[Contestant], case: Case) -> bool:
    """Measures; False where the device's memory is too small and half the sequences may fit."""
    try:
        _compete(bench, ready, case)
    except torch.cuda.OutOfMemoryError:
        if case.sequences == 1:
            raise
    else:
        return True
    # Only here is the error gone, and with it what its frames held.
    for one in ready:
        one.optimizer.zero_grad()
    bench.free()
    return False


def _compete(bench: Bench, ready: list[Contestant], case: Case) -> None:
    packed, work = made_up(case)
    here = packed.to(bench.device)
    padded = {name: value.to(bench.device) for name, value in padded_inputs(packed).items()}
    steps: dict[str, Callable[[], None]] = {}
    first: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for one in ready:
        if COMPILED in one.name and not bench.dry and not bench.has_time(_COMPILING):
            bench.say("not reached", what=f"{case.name}: {one.name}", why="no time is left to compile")
            continue
        step: Callable[[], None] = partial(one.step, here if one.packed else padded, bench.device)
        try:
            begun = time.perf_counter()
            step()
            bench.wait()
            first[one.name] = time.perf_counter() - begun
            step()
            peaks[one.name] = bench.peak_gib(step)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:
            bench.say("step", case=case.name, contestant=one.name, failed=repr(error)[:500])
            one.optimizer.zero_grad()
            continue
        steps[one.name] = step
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(1 if bench.dry else _ROUNDS):
        for name, step in steps.items():
            times[name].append(bench.seconds(step, _STEPS)[0])
    hosts = {name: bench.seconds(step, _STEPS)[1] for name, step in steps.items()}
    kept = 12 * parameter_count(case.config) / 2**30  # weights and moments, which lie there before a step
    for name, seconds in times.items():
        figures = _figures(bench, case.config, work, statistics.median(seconds))
        memory = {"peak_gib": peaks[name] + kept if peaks[name] else None}
        if name in (OURS, OURS_COMPILED):
            memory["planned_gib"] = planned_gib(case, work, stage=0)
        bench.say(
            "step",
            case=case.name,
            contestant=name,
            sequences=case.sequences,
            tokens=work.tokens,
            **figures,
            fastest_ms=min(seconds) * 1e3,
            slowest_ms=max(seconds) * 1e3,
            host_ms=hosts[name] * 1e3,
            first_seconds=first[name],
            **memory,
        )
    for name in (OURS, OURS_COMPILED):
        if name in steps:
            _say_gaps(bench, case, work, name, steps[name], statistics.median(times[name]))


def _figures(bench: Bench, config: BertConfig, work: Work, seconds: float) -> dict[str, float | None]:
    """MFU is over FLOPs on real tokens, whatever was computed on padding."""
    flops = training_flops(config, work) / seconds
    return {
        "ms": seconds * 1e3,
        "tokens_per_second": work.tokens / seconds,
        "mfu": None if bench.datasheet_flops is None else flops / bench.datasheet_flops,
        "mfu_measured_peak": flops / bench.ceilings.flops,
    }


def _say_gaps(bench: Bench, case: Case, work: Work, name: str, step: Callable[[], None], seconds: float) -> None:
    """One step under torch's profiler; `seconds`: of an undisturbed one."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if bench.device.type == "cuda" else [])
    with profile(activities=activities) as recorded:
        step()
        bench.wait()
    kernels = kernels_of(recorded.key_averages(), on_gpu=bench.device.type == "cuda")
    for one in gaps(kernels, seconds, floors(case.config, work, bench.ceilings)):
        bench.say(
            "gap",
            case=case.name,
            contestant=name,
            kind=one.kind,
            ms=one.seconds * 1e3,
            floor_ms=one.floor * 1e3,
            gap_ms=one.gap * 1e3,
            kernels=one.count,
            largest=one.largest,
        )


def kernels_of(events: Iterable[Any], *, on_gpu: bool) -> list[Kernel]:
    """What ran on the device, of the averages that torch's profiler gives; on the CPU torch's operations.

    Ranges that torch marks on the device's line of time, an optimiser's step or a compiled graph, hold kernels that
    stand there themselves.
    """
    found = []
    for event in events:
        is_range = getattr(event, "is_user_annotation", False) or "#" in event.key or event.key.startswith("Torch-")
        if is_range or (event.device_type != torch.autograd.DeviceType.CPU) != on_gpu:
            continue
        microseconds = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        found.append(Kernel(event.key, event.count, microseconds / 1e6))
    return found
