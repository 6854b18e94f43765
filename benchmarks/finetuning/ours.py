"""The side of this package: a whole run as `finetuning.main` does it, its training loop timed."""

from __future__ import annotations

from unittest import mock

from benchmarks.finetuning.clock import Clock
from finetuning.run import finetune
from finetuning.run.specification import RunSpec


def ours(spec: RunSpec, clock: Clock) -> float:
    """The dev score of a run; `clock` times the loop alone, without reading, encoding and scoring."""
    with mock.patch.object(finetune, "train", clock.around(finetune.train)):
        return finetune.run(spec).score
