"""How long a sequence may be, and what that cuts from each split."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from finetuning.errors import FinetuningError
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.tasks.task import SHORTEST_LENGTH

logger = logging.getLogger(__name__)


def max_length(asked: int | None, usual: int, positions: int, whose: str) -> tuple[int, tuple[str, ...]]:
    """The most pieces of a sequence, and a note where the model has fewer positions than are usual.

    Args:
        asked: what `--max-length` says; None: what is usual.
        usual: the length of the task, or that of training.
        positions: those of the model.
        whose: what the usual length belongs to, for the note.

    Raises:
        FinetuningError: more is asked for than the model has positions, or less than `SHORTEST_LENGTH`.
    """
    if asked is None:
        if usual <= positions:
            return usual, ()
        return positions, (f"max_length is {positions}, the positions of the model, not the {usual} of {whose}",)
    if asked > positions:
        raise FinetuningError(
            f"--max-length {asked} is more than the model's {positions} positions; pass --max-length {positions}"
        )
    if asked < SHORTEST_LENGTH:
        raise FinetuningError(f"--max-length {asked}: must be at least {SHORTEST_LENGTH}")
    return asked, ()


def log_truncation(truncation: Mapping[str, Truncation]) -> tuple[str, ...]:
    """Say what was cut from each split; returns the warnings, which whoever called says again at the end."""
    warnings: list[str] = []
    for name, counts in truncation.items():
        logger.info("%s", counts.line(name))
        warnings += counts.warnings(name)
    return tuple(warnings)
