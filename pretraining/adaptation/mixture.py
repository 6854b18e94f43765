"""How much of each text is trained on: one's own in whole passes, general text as a share beside it.

Shard sets are mixed by the loader, which draws from several (`pretraining/data/sampler.py`): the order stays a
stateless permutation, so a run goes on exactly, and the counts that losses are divided by stay those of the batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preprocessing.shards import ShardSet
from pretraining.adaptation.options import ANY_STEPS, AdaptOptions, Training

WARMUP_SHARE = 0.06
"""Of all steps, as Gururangan et al. 2020, "Don't Stop Pretraining" (appendix)."""
_FEWEST_STEPS = 2  # one for the warm-up, one after it


@dataclass(frozen=True)
class Mixture:
    """What an epoch draws."""

    own: int
    """Examples of the text to adapt to, each once an epoch."""
    general: int
    """Examples of the general text there are."""
    general_drawn: int
    """Of these an epoch draws so many; more than there are: some of them again."""

    @property
    def weights(self) -> tuple[float, ...]:
        """Passes an epoch over each set of shards."""
        return (1.0, self.general_drawn / self.general) if self.general_drawn else (1.0,)

    @property
    def epoch(self) -> int:
        """Examples of an epoch."""
        return self.own + self.general_drawn


def mix(own: int, general: int, share: float) -> Mixture:
    """`share` of all examples is to be general text, where there is any: own · share / (1 − share) of it."""
    drawn = max(1, round(own * share / (1 - share))) if general and share else 0
    return Mixture(own, general, drawn)


def training_words(
    options: AdaptOptions, training: Training, start: Path, shards: Sequence[Path], mixture: Mixture
) -> tuple[list[str], int]:
    """What this command sets of the recipe, as words of a command line, and the number of steps."""
    batch_size = training.complete((ANY_STEPS,)).training.batch_size
    steps = options.steps or max(_FEWEST_STEPS, math.ceil(options.epochs * mixture.epoch / batch_size))
    values: dict[str, object] = {
        "init.from": start,
        "data.shards": ",".join(map(str, shards[: len(mixture.weights)])),
        "data.weights": ",".join(map(repr, mixture.weights)),
        "data.sequence_length": options.sequence_length,
        "training.steps": steps,
        "output.folder": options.output,
    }
    if training.is_shipped and not training.is_given("schedule.warmup_steps"):
        values["schedule.warmup_steps"] = min(round(WARMUP_SHARE * steps), steps - 1)
    for key in ("data.seed", "training.seed"):
        if not training.is_given(key):
            values[key] = options.seed
    return [f"--{key}={value}" for key, value in values.items()], steps


def examples_of(shards: ShardSet, split: str, length: int) -> int:
    """How many examples a set of shards has."""
    return int(shards.records(split, length).rows.sum())
