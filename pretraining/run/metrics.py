"""Figures of a run over time: reduced over ranks, written as JSON lines and for TensorBoard."""

import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.atomic_file import write_text
from pretraining.model.config import BertConfig
from pretraining.planning.flops import Work, training_flops
from pretraining.run.loop import Step
from pretraining.run.trainer_state import finite


@dataclass
class Interval:
    """Adds up the steps since the last logged one."""

    config: BertConfig
    sequence_length: int
    peak_flops: float | None  # of all devices together

    def __post_init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.started = time.perf_counter()
        self.steps = 0
        self.work = Work(0, 0, 0, 0)
        self.filler_tokens = 0
        self.wait_seconds = 0.0
        self.sums: torch.Tensor | None = None

    def add(self, step: Step) -> None:
        """Notes a step without waiting for the device."""
        batch = step.batch
        self.steps += 1
        self.work += Work(batch.tokens, batch.squared_tokens, batch.masked_tokens, batch.sequences)
        self.filler_tokens += batch.filler_tokens
        self.wait_seconds += step.wait_seconds
        self.sums = step.sums if self.sums is None else self.sums + step.sums

    def leave_out(self, seconds: float) -> None:
        """Time that was not training: an evaluation, a checkpoint."""
        self.started += seconds

    def close(self) -> dict[str, Any]:
        """Figures since the last call; one all-reduce, equal on every rank."""
        if self.sums is None:
            raise RuntimeError("close() before any step")
        extra = self.sums.new_full((1,), self.wait_seconds)
        reduced = torch.cat([self.sums, extra])
        dist.all_reduce(reduced)
        mlm_loss, nsp_loss, mlm_correct, nsp_correct, wait = reduced.tolist()
        elapsed, work = time.perf_counter() - self.started, self.work
        flops = training_flops(self.config, work) / elapsed
        figures = {
            "loss": mlm_loss / work.masked_tokens + nsp_loss / work.sequences,
            "mlm_loss": mlm_loss / work.masked_tokens,
            "nsp_loss": nsp_loss / work.sequences,
            "mlm_accuracy": mlm_correct / work.masked_tokens,
            "nsp_accuracy": nsp_correct / work.sequences,
            "tokens_per_second": work.tokens / elapsed,
            "sequences_per_second": work.sequences / elapsed,
            "seconds_per_step": elapsed / self.steps,
            # Of the tokens that were computed: what fixed shapes cost.
            "filler_share": self.filler_tokens / (work.tokens + self.filler_tokens),
            # Of a batch padded to the sequence length, which this one is not: nothing was computed on it.
            "padding_avoided_share": 1 - work.tokens / (work.sequences * self.sequence_length),
            "data_wait_share": wait / dist.get_world_size() / elapsed,
            "mfu": None if self.peak_flops is None else flops / self.peak_flops,
            "memory_bytes": memory_bytes(),
        }
        self._clear()
        return figures


def memory_bytes() -> int:
    """Peak memory of this process: allocated on its GPU, or resident on the CPU."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class MetricsLog:
    """``metrics.jsonl`` and TensorBoard of one run, written by rank 0 only."""

    def __init__(self, folder: Path, *, tensorboard: bool, resumed_step: int) -> None:
        self.path = folder / "metrics.jsonl"
        self._tensorboard = folder / "tensorboard" if tensorboard else None
        folder.mkdir(parents=True, exist_ok=True)
        self._open(resumed_step)

    def _open(self, resumed_step: int) -> None:
        # Lines from after the checkpoint will come again; a torn last line goes too.
        kept = [line for line in read_metrics(self.path) if line.get("step", 0) <= resumed_step and resumed_step]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = self.path.open("a", encoding="utf-8")
        self._writer: Any = None
        if self._tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._tensorboard), purge_step=resumed_step + 1)

    def go_back(self, step: int) -> None:
        """Drops the lines from after ``step``."""
        self.close()
        self._open(step)

    def has_evaluation(self, step: int) -> bool:
        """True when held-out figures after ``step`` are there."""
        return any(line.get("event") == "evaluation" and line["step"] == step for line in read_metrics(self.path))

    def write(self, line: dict[str, Any]) -> None:
        """One line; its numbers go to TensorBoard under ``train/`` or the event's name."""
        self._file.write(json.dumps(finite(line), allow_nan=False) + "\n")
        self._file.flush()
        if self._writer is not None:
            group = line.get("event", "train") + ("" if line.get("source", "all") == "all" else f"-{line['source']}")
            for name, value in line.items():
                if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                    self._writer.add_scalar(f"{group}/{name}", value, line["step"])

    def close(self) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file; a last line that a crash tore is left out."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
