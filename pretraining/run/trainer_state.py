"""What a run knows about itself between steps: plain data that goes into every checkpoint."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from pretraining.data.loader import GlobalBatch
from pretraining.data.sampler import Position

START = Position()


@dataclass(frozen=True, slots=True)
class TrainerState:
    """Progress of a run, equal on every rank except ``seconds``."""

    step: int = 0  # optimiser steps done
    position: Position = START  # of the next global batch
    sequences: int = 0
    tokens: int = 0
    seconds: float = 0.0  # of training so far, over all restarts
    agreed_seconds: float = 0.0  # the same as rank 0 measured it, for schedules bounded by time

    def after(self, batch: GlobalBatch, seconds: float) -> "TrainerState":
        """The state after a step on ``batch``."""
        return replace(
            self,
            step=self.step + 1,
            position=batch.next_position,
            sequences=self.sequences + batch.sequences,
            tokens=self.tokens + batch.tokens,
            seconds=self.seconds + seconds,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TrainerState":
        return cls(**{**data, "position": Position(**data["position"])})


def dump(data: Any) -> str:
    """JSON as this package writes it."""
    return json.dumps(data, indent=2, sort_keys=True) + "\n"
