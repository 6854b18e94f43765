"""Rows of a task as they were read: plain text and labels, before any tokenisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class TextRow:
    """One or two texts with a class or a number."""

    id: str
    place: str
    """File and line, or hub split and row: for error messages."""
    text_a: str
    text_b: str | None
    label: str | float | None
    """Class name, number (regression), or None where the split has no labels."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A sentence of words with one tag each."""

    id: str
    place: str
    words: tuple[str, ...]
    tags: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A context and the endings to choose from; a candidate's text B is `text_b` and the ending."""

    id: str
    place: str
    text_a: str
    text_b: str
    endings: tuple[str, ...]
    label: int | None


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A question about a paragraph. `answers`: (text, first character in the paragraph); empty: no answer."""

    id: str
    place: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]


Row: TypeAlias = TextRow | TokenRow | ChoiceRow | SpanRow


@dataclass(frozen=True, slots=True)
class SplitRows:
    """All rows of one split. `notes` tells what was passed over while reading."""

    name: str
    rows: tuple[Row, ...]
    labelled: bool
    notes: tuple[str, ...] = ()
