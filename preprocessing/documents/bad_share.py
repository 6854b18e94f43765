"""How much of each source could not be read, and when that is too much to go on.

A bad record costs itself and is counted. Where many are bad it is the input that is wrong, or an option that says how
to read it, and hours of building would end in shards of what happened to be left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import Options
from preprocessing.sources.split import Split
from preprocessing.tally import DAMAGED, DROPPED, Rejection, Tally

BAD = ("malformed", "bad_file")
"""Of what is dropped, this could not be read; all else was left out by a rule."""
UNREAD_BYTES = "bad_files.unread_bytes"
"""Stored bytes of files, or ranges of them, of which no record was read."""

# One record in a hundred is no accident any more: mostly it is a wrong file, or an option that says how to read it.
DEFAULT_SHARE = 0.01
# A share of little says little: without an order of the user's so much may be bad whatever it is a share of.
FEW_RECORDS = 10
FEW_BYTES = 16 << 20
_PLACES_NAMED = 3
_OPTIONS = {"huggingface": "dataset"}


class BadShareOptions(Options):
    """How much of an input may be bad."""

    max_bad_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="largest share of a source's records that may be malformed, and of its bytes that may lie in files "
        f"that cannot be read; above it the command stops and names the source (default: {DEFAULT_SHARE}, but "
        f"{FEW_RECORDS} records and {FEW_BYTES >> 20} MiB of files may be bad in any input)",
    )


@dataclass
class _Source:
    records: int = 0
    bad: int = 0
    bytes: int = 0
    unread: int = 0
    places: list[Rejection] = field(default_factory=list)


class BadShare:
    """What was read and what could not be, source by source; sums do not depend on splits or their order."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def add(self, split: Split, tally: Tally) -> None:
        """Adds what `tally` counted of a split. A parsed corpus was judged when it was parsed."""
        if not split.parsed:
            self.add_plain(self.plain(split, tally))

    @staticmethod
    def plain(split: Split, tally: Tally) -> dict[str, Any]:
        """The same as plain data, for a sidecar; `add_plain` adds it."""
        if split.parsed:
            return {}
        # Only what weighs: a document that a rule left out, or a warning, is no proof that the input is bad.
        places = sorted(
            {
                *(place for place in tally.rejections if place.kind in BAD),
                *(place for place in tally.damage if place.kind.startswith(DAMAGED)),
            }
        )[:_PLACES_NAMED]
        parts = sum(amount for name, amount in tally.counters.items() if name.startswith(DAMAGED))
        return {
            "source": split.source,
            # A damaged part of a record weighs as a record: it is one more thing that was to be read.
            "records": tally.documents_in + parts,
            "bad": parts + sum(tally.counters[DROPPED + reason] for reason in BAD),
            "bytes": split.size,
            "unread": tally.counters[UNREAD_BYTES],
            "places": [[place.locator, place.reason] for place in places],
        }

    def add_plain(self, data: Mapping[str, Any]) -> None:
        """Adds what `plain` gave."""
        if not data:
            return
        found = self._sources.setdefault(data["source"], _Source())
        found.records += data["records"]
        found.bad += data["bad"]
        found.bytes += data["bytes"]
        found.unread += data["unread"]
        found.places = sorted([*found.places, *(Rejection(*place) for place in data["places"])])[:_PLACES_NAMED]

    def enforce(self, limit: float | None) -> None:
        """Raises PreprocessingError, which names every source of which more than `limit` is bad; None: the default."""
        problems = []
        for source, found in sorted(self._sources.items()):
            share = DEFAULT_SHARE if limit is None else limit
            few_records, few_bytes = (FEW_RECORDS, FEW_BYTES) if limit is None else (0, 0)
            what = ""
            if found.bad > max(few_records, share * found.records):
                what = f"{_percent(found.bad, found.records)} of the records ({found.bad:,} of {found.records:,})"
            elif found.unread > max(few_bytes, share * found.bytes):
                share_of_bytes = _percent(found.unread, found.bytes)
                what = f"files with {share_of_bytes} of the bytes ({found.unread:,} of {found.bytes:,})"
            if what:
                places = "; ".join(f"{place.locator}: {place.reason.rstrip('.')}" for place in found.places)
                shown = f", as {places}" if places else ""
                problems.append(f"--{_OPTIONS.get(source, source)}: {what} cannot be read{shown}")
        if problems:
            raise PreprocessingError(
                f"More than --max-bad-share {DEFAULT_SHARE if limit is None else limit} of the input is bad: "
                f"{' -- '.join(problems)}; mend it, leave it out, or give a larger share."
            )


def _percent(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.2%}"
