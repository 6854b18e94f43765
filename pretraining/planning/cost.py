"""What a planned run costs, by the price of a GPU hour. No price is built in: they differ by contract and age fast."""

import math
from dataclasses import dataclass
from typing import Any

from pretraining.errors import PretrainingError
from pretraining.planning.forecast import Forecast

_LONGEST_CURRENCY = 12


@dataclass(frozen=True)
class Price:
    """Of one GPU hour, in a currency that is shown and never converted; PretrainingError for what is no price."""

    per_gpu_hour: float
    currency: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.per_gpu_hour < math.inf:  # also what is no number
            raise PretrainingError(f"--price-per-gpu-hour {self.per_gpu_hour}: give a price from 0 on")
        if self.currency is not None and not _is_name(self.currency):
            raise PretrainingError(f"--currency {self.currency!r}: give a short name such as EUR or USD")

    def figures(self, amount: float) -> str:
        """An amount of the currency; hundredths only below a hundred."""
        return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"

    def shown(self, amount: float) -> str:
        """`figures` with the currency's name, where it has one."""
        return self.figures(amount) if self.currency is None else f"{self.figures(amount)} {self.currency}"


def _is_name(text: str) -> bool:
    return text.isprintable() and text.strip() == text and 0 < len(text) <= _LONGEST_CURRENCY


@dataclass(frozen=True)
class Cost:
    """GPU hours of a run by what they are spent on. The GPUs are paid for while they wait for a disk as well.

    Not in it, as a plan does not know them: time in a queue, failures and what is trained again after them, warm-up,
    compilation, storage, machines without GPUs, nodes that are paid for whole and used in part.
    """

    price: Price
    gpu_hours: dict[str, float]  # by part, in the order of a plan's page

    @property
    def total_gpu_hours(self) -> float:
        return sum(self.gpu_hours.values())

    @property
    def total(self) -> float:
        """In the price's currency."""
        return self.total_gpu_hours * self.price.per_gpu_hour

    def to_json(self) -> dict[str, Any]:
        """Plain data for scripts; amounts in the price's currency, unrounded."""
        return {
            "price_per_gpu_hour": self.price.per_gpu_hour,
            "currency": self.price.currency,
            "gpu_hours": dict(self.gpu_hours),
            "parts": {part: hours * self.price.per_gpu_hour for part, hours in self.gpu_hours.items()},
            "total": self.total,
        }


def cost_of(forecast: Forecast, ranks: int, price: Price) -> Cost:
    """The cost of a run on `ranks` GPUs that takes as long as `forecast` says."""
    seconds = {
        "training": forecast.training_seconds,
        "checkpoints": forecast.checkpoints * forecast.checkpoint_seconds,
        "evaluation": forecast.evaluation_seconds,
        "start-up": forecast.startup_seconds,
    }
    return Cost(price, {part: value / 3600 * ranks for part, value in seconds.items()})
