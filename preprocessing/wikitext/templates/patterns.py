"""Patterns: what a template shows, written as text with places for its arguments.

    {1}[ de {2:month}][ de {3}]

`{1}` is the first positional argument, `{name}` a named one, `{lt|1}` the first of them that is not empty, `{2|=e}` one
or else the letter e, `{*}` what
the star in the template's name stood for. `[...]` is shown if every place in it is filled; the whole is such a part
too. `{2:month}` writes a number as the month's name, `{1:day}` a day as the language does, `{1:lower}` and `{1:upper}`
change case. A backslash takes the meaning from the character behind it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from preprocessing.wikitext.edition import Dates
from preprocessing.wikitext.templates.arguments import Arguments, parse
from preprocessing.wikitext.templates.dates import day_written, month_name

Render = Callable[[list[str]], str]

STAR, LITERAL = "*", "="
_PLACE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"\*|[1-9][0-9]?|[^\W\d][\w -]*")
FILTERS = ("month", "day", "lower", "upper")
DEEPEST = 8


class PatternError(ValueError):
    """A pattern that means nothing; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Place:
    names: tuple[str, ...]
    filter: str


@dataclass(frozen=True, slots=True)
class _Part:
    """Texts, places and optional parts, in order."""

    pieces: tuple["str | _Place | _Part", ...]


def compile_pattern(text: str, dates: Dates, star: str = "") -> Render:
    """The renderer of a pattern; `star` is what a `*` in the template's name stood for. Raises PatternError."""
    part, end = _parse(text, 0, 0)
    if end < len(text):
        raise PatternError('it has a "]" without a "[" before it')

    def render(raw: list[str]) -> str:
        return _shown(part, parse(raw), dates, star) or ""

    return render


def _parse(text: str, position: int, depth: int) -> tuple[_Part, int]:
    if depth > DEEPEST:
        raise PatternError(f"brackets stand in more than {DEEPEST} others")
    pieces: list[str | _Place | _Part] = []
    while position < len(text):
        character = text[position]
        if character == "\\" and position + 1 < len(text):
            pieces.append(text[position + 1])
            position += 2
        elif character == "[":
            inner, end = _parse(text, position + 1, depth + 1)
            if end >= len(text):
                raise PatternError('it has a "[" without a "]" behind it')
            pieces.append(inner)
            position = end + 1
        elif character == "]":
            break
        elif character in "{}":
            match = _PLACE.match(text, position)
            if match is None:
                raise PatternError('it has a "{" or "}" without its partner')
            pieces.append(_place(match.group(1)))
            position = match.end()
        else:
            pieces.append(character)
            position += 1
    return _Part(tuple(_merged(pieces))), position


def _merged(pieces: list["str | _Place | _Part"]) -> list["str | _Place | _Part"]:
    merged: list[str | _Place | _Part] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def _place(text: str) -> _Place:
    names, colon, filter_ = text.partition(":")
    if colon and filter_ not in FILTERS:
        raise PatternError(f"there is no way {filter_!r} to write an argument, only {', '.join(FILTERS)}")
    parts = tuple(name if name.startswith(LITERAL) else name.strip().lower() for name in names.split("|"))
    for name in parts:
        if not (name.startswith(LITERAL) or _NAME.fullmatch(name)):
            raise PatternError(f"{{{text}}} names no argument: these are numbers from 1, names, or *")
    return _Place(parts, filter_)


def _shown(part: _Part, arguments: Arguments, dates: Dates, star: str) -> str | None:
    """The text of a part, or None where a place in it is empty."""
    texts: list[str] = []
    for piece in part.pieces:
        if isinstance(piece, str):
            texts.append(piece)
        elif isinstance(piece, _Part):
            texts.append(_shown(piece, arguments, dates, star) or "")
        else:
            value = _value(piece, arguments, dates, star)
            if not value:
                return None
            texts.append(value)
    return "".join(texts)


def _value(place: _Place, arguments: Arguments, dates: Dates, star: str) -> str:
    for name in place.names:
        if name == STAR:
            value = star
        elif name[0] == LITERAL:
            value = name[1:]
        elif name.isdecimal():
            value = arguments.at(int(name))
        else:
            value = arguments.get(name)
        if value:
            break
    else:
        return ""
    if place.filter == "month":
        return month_name(value, dates)
    if place.filter == "day":
        return day_written(value, dates)
    if place.filter == "lower":
        return value.lower()
    return value.upper() if place.filter == "upper" else value
