"""What a run knows about itself between steps: plain data that goes into every checkpoint."""

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from pretraining.data.loader import GlobalBatch
from pretraining.data.sampler import PassedOver, Position

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
    ledger: str = ""  # digest of all examples so far, in their order
    passed_over: tuple[PassedOver, ...] = ()  # draws that are left out, because they made steps bad
    held_out_loss: float | None = None  # after this very step

    def after(self, batch: GlobalBatch, seconds: float) -> "TrainerState":
        """The state after a step on ``batch``."""
        return replace(
            self,
            step=self.step + 1,
            position=batch.next_position,
            sequences=self.sequences + batch.sequences,
            tokens=self.tokens + batch.tokens,
            seconds=self.seconds + seconds,
            held_out_loss=None,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TrainerState":
        passed_over = tuple(PassedOver(Position(**one["start"]), one["count"]) for one in data.get("passed_over", ()))
        return cls(**{**data, "position": Position(**data["position"]), "passed_over": passed_over})


def dump(data: Any) -> str:
    """JSON as this package writes it; numbers that are not finite become null, as JSON has none."""
    return json.dumps(finite(data), indent=2, sort_keys=True, allow_nan=False) + "\n"


def finite(data: Any) -> Any:
    """The same data with None for every number that is not finite."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data
