"""Markdown of text that may come from anywhere: paths, names of tasks, labels. None of it can become markup."""

import re
from collections.abc import Iterable, Sequence

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~&!$]")


def plain(text: object) -> str:
    """Text in one line, shown as it is: in CommonMark a backslash takes its meaning from any punctuation."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))


def block(text: str, language: str = "") -> str:
    """Text as a block of code, in a fence that is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain texts; an empty text where there are no rows."""
    lines = [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(map(plain, header))} |", f"|{'---|' * len(header)}", *lines])


def number(value: float | None, digits: int = 4) -> str:
    """A figure; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def with_error(value: float | None, error: float | None, digits: int = 4) -> str:
    """A figure with its standard error."""
    return number(value, digits) + ("" if value is None or error is None else f" ± {error:.{digits}f}")
