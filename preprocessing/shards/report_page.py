"""The data report as a page."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pages import render as render_page
from pages.columns import binned, columns
from preprocessing.shards.drop_reasons import REASONS
from preprocessing.shards.report_rows import ShownRow

LONGEST_WORD_SHOWN = 6
"""Pieces; longer words are too few for a rate of their own."""

FEWEST_DRAWN = 100
"""Examples of a histogram."""


def render(summary: Mapping[str, Any], rows: Sequence[ShownRow] = (), why_no_rows: str = "") -> str:
    """The page: self-contained HTML. `rows` are shown with their masks; without any, `why_no_rows` says why."""
    examples: Mapping[str, Mapping[str, Any]] = summary["examples"]
    every = range(1, LONGEST_WORD_SHOWN + 1)
    lengths = [pieces for pieces in every if any(_rate(row, pieces) is not None for row in examples.values())]
    values = {
        "summary": summary,
        "rows": rows,
        "why_no_rows": why_no_rows,
        "sections": _sections(summary),
        "reasons": REASONS,
        "dropped": _by_count(summary["documents"]["dropped"]),
        "dropped_in_all": sum(summary["documents"]["dropped"].values()),
        "tokens": sum(row["tokens"] for row in summary["sources"].values()),
        "lengths": {place: _lengths(place, figures) for place, figures in examples.items() if figures["rows"]},
        "full": {place: _full(figures) for place, figures in examples.items() if figures["rows"]},
        "word_lengths": lengths,
        "word_length_names": [f"{pieces} piece{'s' if pieces > 1 else ''}" for pieces in lengths],
        "rate": _rate,
        "configuration": json.dumps(summary["configuration"], indent=1, ensure_ascii=False),
    }
    return render_page("preprocessing.shards", "report.html", values)


def _sections(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("dropped", "What was dropped"), ("rows", "Rows"), ("examples", "Examples"), ("sources", "Sources")]
    if summary["notes"]:
        found.append(("notes", "Worth a look"))
    if summary["lost_templates"]:
        found.append(("templates", "Lost templates"))
    return [*found, ("inputs", "Inputs and configuration")]


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _full(figures: Mapping[str, Any]) -> float:
    """The share of examples that have the full length."""
    return float(_counts(figures).get(figures["length"], 0) / figures["rows"])


def _lengths(place: str, figures: Mapping[str, Any]) -> Markup:
    """Of examples below the full length: most have it, and their column would leave no room for the others.

    Empty where there are too few to have a shape.
    """
    shorter = {tokens: rows for tokens, rows in _counts(figures).items() if tokens < figures["length"]}
    if sum(shorter.values()) < FEWEST_DRAWN:
        return Markup("")
    drawn = binned(shorter, figures["length"] - 1)
    return columns(f"Examples shorter than {figures['length']}, {place}", drawn, x_label="tokens", y_label="examples")


def _counts(figures: Mapping[str, Any]) -> dict[int, int]:
    return {int(tokens): rows for tokens, rows in figures["length_histogram"].items()}


def _rate(figures: Mapping[str, Any], pieces: int) -> float | None:
    """The masked share of pieces in words of so many, None where there are none; keys are text where JSON was read."""
    rates = figures["mask_rate_by_word_length"]
    found: float | None = rates.get(pieces, rates.get(str(pieces)))
    return found
