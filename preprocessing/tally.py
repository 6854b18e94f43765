"""Counters of what went in, what came out, and what was dropped and why.

The books balance: `documents_in == documents_out + sum of every counter that begins with "dropped."`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

DOCUMENTS_IN = "documents_in"
DOCUMENTS_OUT = "documents_out"
DROPPED = "dropped."
DAMAGED = "damaged."
"""Begins the counters of parts of records, or of rows, that could not be read: each weighs as a bad record where
`documents/bad_share.py` judges an input."""
SAMPLE_SIZE = 100
LOST_TEMPLATES_KEPT = 1000
OTHER_TEMPLATES = "(other)"
# At how many places a template stood that is in the books.
PLACES_KEPT = 3
# Of a kind that is rare among what is lost a sample of the first places would show none.
PLACES_OF_A_KIND = 3


@dataclass(frozen=True, slots=True, order=True)
class Rejection:
    """A record, or a part of one, that could not be read: where it is, why it was refused, and what it counts as.

    `kind` is the reason of a drop (`malformed`), or of a part and of a note the name of a counter.
    """

    locator: str
    reason: str
    kind: str = ""


class Tally:
    """Named counters; bounded samples of rejected records, damage and notes; the characters lost by template name.

    Merging is commutative and associative as long as no single tally saw more than `LOST_TEMPLATES_KEPT`
    template names, so totals do not depend on the order in which splits finish.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.rejections: list[Rejection] = []
        self.notes: list[Rejection] = []
        self.damage: list[Rejection] = []
        self.lost_templates: Counter[str] = Counter()
        self.inline_templates: Counter[str] = Counter()
        self.template_places: dict[str, list[str]] = {}

    def count(self, name: str, amount: int = 1) -> None:
        """Add `amount` to the counter `name`, for instance `dropped.redirect`."""
        self.counters[name] += amount

    def reject(self, locator: str, reason: str, kind: str = "malformed") -> None:
        """Count a record under `dropped.<kind>` and keep it in the sample (the first ones by locator)."""
        self.counters[DROPPED + kind] += 1
        self.rejections = _smallest([*self.rejections, _place(locator, reason, kind)])

    def lose_part(self, locator: str, reason: str, counter: str, amount: int = 1, kind: str = "") -> None:
        """Count what a record that stays has lost (a chapter of a book), and keep its place in a sample of its own.

        `kind` is the counter under which it weighs for `documents/bad_share.py`, where that is another one.
        """
        self.counters[counter] += amount
        self.damage = _smallest([*self.damage, _place(locator, reason, kind or counter)])

    def note(self, locator: str, reason: str, counter: str) -> None:
        """Count `counter` for what is kept but worth a look, and keep its place in the sample of notes."""
        self.counters[counter] += 1
        self.notes = _smallest([*self.notes, _place(locator, reason, counter)])

    def lose_template(self, name: str, characters: int, inline: int = 0, place: str = "") -> None:
        """Count `characters` of wikitext that went with a template of this name.

        `inline` of them stood inside lines of text, at `place` (some places are kept, the first ones by name).
        """
        self.lost_templates[name] += characters
        if inline:
            self.inline_templates[name] += inline
            if place:
                self._keep_places(name, [place])

    @property
    def documents_in(self) -> int:
        return self.counters[DOCUMENTS_IN]

    @property
    def documents_out(self) -> int:
        return self.counters[DOCUMENTS_OUT]

    @property
    def dropped(self) -> dict[str, int]:
        """The `dropped.*` counters by reason, without the prefix, sorted by name."""
        return {
            name.removeprefix(DROPPED): amount
            for name, amount in sorted(self.counters.items())
            if name.startswith(DROPPED)
        }

    @property
    def unaccounted(self) -> int:
        """Documents that are neither out nor dropped: anything but 0 is a fault."""
        return self.documents_in - self.documents_out - sum(self.dropped.values())

    def merge(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.counters.update(other.counters)
        self.lost_templates.update(other.lost_templates)
        self.inline_templates.update(other.inline_templates)
        for name, places in other.template_places.items():
            self._keep_places(name, places)
        self.rejections = _smallest([*self.rejections, *other.rejections])
        self.damage = _smallest([*self.damage, *other.damage])
        self.notes = _smallest([*self.notes, *other.notes])

    def to_json(self) -> dict[str, Any]:
        """Plain data with sorted keys; only the templates that lost most are named, the rest is summed."""
        return {
            "counters": dict(sorted(self.counters.items())),
            "rejections": [asdict(rejection) for rejection in self.rejections],
            "damage": [asdict(place) for place in self.damage],
            "lost_templates": _most(self.lost_templates),
            **self._inline_to_json(),
            **({"notes": [asdict(note) for note in self.notes]} if self.notes else {}),
        }

    def _inline_to_json(self) -> dict[str, Any]:
        if not self.inline_templates:
            return {}
        kept = _most(self.inline_templates)
        # Of all that are kept: which lose most is known only when all splits are added up.
        placed = {name: self.template_places[name] for name in kept if name in self.template_places}
        return {"inline_templates": kept, "template_places": placed}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Tally":
        """The inverse of `to_json`."""
        tally = cls()
        tally.counters.update(data["counters"])
        tally.lost_templates.update(data["lost_templates"])
        tally.inline_templates.update(data.get("inline_templates", {}))
        for name, places in data.get("template_places", {}).items():
            tally._keep_places(name, places)
        tally.rejections = _smallest(Rejection(**rejection) for rejection in data["rejections"])
        tally.damage = _smallest(Rejection(**place) for place in data.get("damage", ()))  # not in older folders
        tally.notes = _smallest(Rejection(**note) for note in data.get("notes", ()))
        return tally

    def _keep_places(self, name: str, places: Iterable[str]) -> None:
        kept = self.template_places.setdefault(name, [])
        kept[:] = sorted({*kept, *places})[:PLACES_KEPT]


def _most(lost: Counter[str]) -> dict[str, int]:
    """The names that lost most, and the sum of the others."""
    named = sorted((item for item in lost.items() if item[0] != OTHER_TEMPLATES), key=lambda item: (-item[1], item[0]))
    most = dict(named[:LOST_TEMPLATES_KEPT])
    if others := lost.total() - sum(most.values()):
        most[OTHER_TEMPLATES] = others
    return most


def storable(text: str) -> str:
    """The text as every output can hold it: the name of a file may be no text in any encoding."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _place(locator: str, reason: str, kind: str) -> Rejection:
    return Rejection(storable(locator), storable(reason), kind)


def _smallest(places: Iterable[Rejection]) -> list[Rejection]:
    # Not the first to arrive: the sample must not depend on the order of the splits.
    ordered = sorted(places)
    if len(ordered) <= SAMPLE_SIZE:
        return ordered
    kept, seen = ordered[:SAMPLE_SIZE], Counter(place.kind for place in ordered[:SAMPLE_SIZE])
    for place in ordered[SAMPLE_SIZE:]:
        if seen[place.kind] < PLACES_OF_A_KIND:
            kept.append(place)
        seen[place.kind] += 1
    return kept
