"""What a reader saw that does not stop it: counted with the first place, and said in words when all is read."""

from __future__ import annotations

from dataclasses import dataclass, field

LOOKED_AT = 1000
"""Rows from the start of a file in which quotation marks are looked for."""
MOSTLY = 0.5
"""Share of them above which the marks are hardly text."""


@dataclass(slots=True)
class Remarks:
    """Filled while a file is read; `notes` afterwards."""

    rows: int = 0
    """Rows that were read."""
    malformed: list[str] = field(default_factory=list)
    """Places of lines with a wrong number of fields that were passed over."""
    blank: list[str] = field(default_factory=list)
    """Places of empty lines between rows."""
    quoted: int = 0
    """Rows of a file without quoting in which a field stands in quotation marks."""
    impossible: list[str] = field(default_factory=list)
    """Ids of impossible questions that have an answer all the same."""
    surrogates: list[str] = field(default_factory=list)
    """Places of records with half a surrogate pair, which is no character."""

    def notes(self, name: str) -> tuple[str, ...]:
        """What was remarkable in the file `name`."""
        said = [
            (self.malformed, "malformed lines passed over"),
            (self.blank, "empty lines passed over"),
            (self.impossible, "impossible questions with answers, read as without"),
            (self.surrogates, "JSON texts with half a surrogate pair, read as U+FFFD"),
        ]
        result = [f"{name}: {len(places)} {what}, the first at {places[0]}" for places, what in said if places]
        looked_at = min(self.rows, LOOKED_AT)
        if self.quoted > MOSTLY * looked_at:
            result.append(
                f"{name}: in {self.quoted} of the first {looked_at} rows a field stands in quotation marks, "
                "which were taken for text; if they are quoting, set quoted = true in the task"
            )
        return tuple(result)
