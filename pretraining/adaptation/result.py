"""What a model wins and forgets: `adaptation.json`, its table, and the section of the model's card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretraining.errors import PretrainingError
from pretraining.model_card.markdown import number, plain, table, with_error

_HEADER = ("", "", "before", "after", "change")
_MASKED = {"mlm_loss": "masked tokens: loss, nats", "mlm_accuracy": "masked tokens: accuracy"}
_PAIRS = {"nsp_loss": "next sentence: loss, nats", "nsp_accuracy": "next sentence: accuracy"}
_NOTE = """\
On documents that training never saw; ± is the standard error of a mean over these examples, taken for independent.
Both columns are of the same examples, so that the differences are surer than these errors say. It is one run: they
say nothing of other seeds."""
_NAMED = 8


@dataclass(frozen=True)
class Line:
    """One figure of one text, before and after, each with its standard error where there is one."""

    text: str
    figure: str
    before: tuple[float, float | None]
    after: tuple[float, float | None]

    @property
    def cells(self) -> tuple[str, ...]:
        """As the table has it."""
        change = f"{self.after[0] - self.before[0]:+.4f}"
        return (self.text, self.figure, with_error(*self.before), with_error(*self.after), change)


def read_figures(path: Path) -> dict[str, Any]:
    """Figures over all sources, as `pretraining.evaluate` wrote them."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["all"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PretrainingError(f"{path} is damaged; remove it and give the same command again") from error


def read_result(path: Path) -> dict[str, Any]:
    """`adaptation.json`."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PretrainingError(f"{path} is damaged; remove it and give the same command again") from error


def as_text(result: Mapping[str, Any]) -> str:
    """The table and its notes for a terminal, the columns aligned."""
    rows = [_HEADER, *(line.cells for line in lines_of(result))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", _NOTE, *(f"- {note}" for note in notes_of(result))])


def as_markdown(result: Mapping[str, Any]) -> str:
    """The section of a model's card."""
    mixture = result["mixture"]
    said = (
        f"Adapted from {plain(result['model'])} in {number(result['steps'])} steps; an epoch has "
        f"{number(mixture['own'])} examples of the text to adapt to and {number(mixture['general_drawn'])} of general "
        "text."
    )
    rows = [line.cells for line in lines_of(result)]
    return "\n\n".join([said, table(_HEADER, rows), _NOTE, *(plain(note) for note in notes_of(result))])


def lines_of(result: Mapping[str, Any]) -> list[Line]:
    """The table's lines: the figures that mean something for what was trained."""
    figures = _MASKED | (_PAIRS if result["objective"] != "none" else {})
    return [
        Line(text, words, *((float(found[when][key]), found[when].get(f"{key}_error")) for when in ("before", "after")))
        for text, found in result["held_out"].items()
        for key, words in figures.items()
    ]


def notes_of(result: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing to know about the table."""
    mixture, absent, held_out = result["mixture"], result["drawn_at_random"], result["held_out"]
    notes = []
    if absent:
        notes.append(
            f"The model lacked {_listed(absent)}, which started at random: the figures before are those of a model "
            "that could not answer yet."
        )
    if result["objective"] == "none":
        notes.append("It was trained on single segments: next-sentence prediction is not measured.")
    if len(held_out) == 1:
        notes.append(
            "What it forgets is not measured: there is no --replay."
            if not result["replay"]
            else "What it forgets is not measured: the general text has no held-out examples."
        )
    if mixture["general_drawn"] > mixture["general"]:
        notes.append("The general text is less than its share: parts of it come more than once an epoch.")
    if result["heldout_documents"] == 1:
        notes.append("A single document of your text is held out: the figures are of that document.")
    if pieces := result.get("new_pieces"):
        words = pieces["words"]
        named = ", ".join(word["word"] for word in words[:_NAMED]) + (", …" if len(words) > _NAMED else "")
        per_word = pieces["pieces_per_word"]
        notes.append(
            f"{number(len(words))} new pieces ({named}): {number(per_word['before'], 3)} pieces a word on held-out "
            f"text before, {number(per_word['after'], 3)} after; the figures before have the new pieces already."
        )
    return notes


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
