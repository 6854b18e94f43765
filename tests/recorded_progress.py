"""A `Progress` that says nothing and keeps what was counted."""

from typing import Any

import pytest

from preprocessing.progress import Count, Progress


class RecordedProgress(Progress):
    """`counts` are those that were begun, in their order."""

    def __init__(self) -> None:
        super().__init__(None)
        self.counts: list[Count] = []

    def count(self, name: str, total: float | None = None, unit: str = "") -> Count:
        self.counts.append(super().count(name, total, unit))
        return self.counts[-1]

    @property
    def ends(self) -> list[tuple[str, float, float | None]]:
        """Name, what was done and the total of each."""
        return [(count.name, count.done, count.total) for count in self.counts]


def recorded(monkeypatch: pytest.MonkeyPatch, command: Any) -> RecordedProgress:
    """What the module of a command, which asks `progress_of`, will count."""
    progress = RecordedProgress()
    monkeypatch.setattr(command, "progress_of", lambda arguments: progress)
    return progress
