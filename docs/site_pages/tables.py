"""Markdown tables whose cells may hold anything."""

import re
from collections.abc import Iterable, Sequence


def code(text: str) -> str:
    """Text in the letters of code, on one line; empty stays empty. A bar in it is no border to Python-Markdown."""
    return f"`{' '.join(text.split())}`" if text else ""


def plain(text: str) -> str:
    """A help text as Markdown on one line: what would be markup outside code (`<`, `*`, `_`, `[`, `|`) is escaped."""
    parts = re.sub(r"[ \t\n]+", " ", text).strip().split("`")
    for place in range(0, len(parts), 2):  # what stands between backticks is every second part
        for sign in "\\*_[|":
            parts[place] = parts[place].replace(sign, f"\\{sign}")
        parts[place] = parts[place].replace("<", "&lt;")
    return "`".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already, with an empty line behind it."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"
