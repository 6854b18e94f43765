"""Rows of a task as they were read: plain text and what is right, before any tokenisation.

A kind whose rows have another form defines its own beside itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Row(Protocol):
    """What every row has."""

    @property
    def id(self) -> str:
        """What names it in predictions."""

    @property
    def place(self) -> str:
        """File and line, or hub split and row: for error messages."""

    @property
    def shown(self) -> str:
        """Its text, as a reader of a report sees it."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """One or two texts with a class or a number."""

    id: str
    place: str
    text_a: str
    text_b: str | None
    label: str | float | None
    """Class name, number (regression), or None where the split has no labels."""

    @property
    def shown(self) -> str:
        return self.text_a if self.text_b is None else f"{self.text_a} ‖ {self.text_b}"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A sentence of words with one tag each."""

    id: str
    place: str
    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    document: str | None = None
    """Names its document, of which the neighbouring rows of the same name are sentences too; None: not known."""

    @property
    def shown(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A context and the endings to choose from; a candidate's text B is `text_b` and the ending."""

    id: str
    place: str
    text_a: str
    text_b: str
    endings: tuple[str, ...]
    label: int | None

    @property
    def shown(self) -> str:
        endings = " / ".join(f"{number}: {ending}" for number, ending in enumerate(self.endings))
        return f"{self.text_a} {self.text_b} … {endings}"


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A question about a paragraph. `answers`: (text, first character in the paragraph); empty: no answer."""

    id: str
    place: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]

    @property
    def shown(self) -> str:
        return self.question


@dataclass(frozen=True, slots=True)
class SplitRows:
    """All rows of one split, all of the task's kind. `notes` tells what was passed over while reading."""

    name: str
    rows: tuple[Row, ...]
    labelled: bool
    notes: tuple[str, ...] = ()
