"""Whose a folder is: the options of the adaptation in it, and what they came to.

Until the shards and the first model are complete nothing else depends on the options, and they may be corrected; from
then on other ones are refused.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preprocessing.atomic_file import write_text
from preprocessing.owned_folder import require_own
from pretraining.adaptation.layout import Layout
from pretraining.errors import PretrainingError

RECORD_NAME = "adaptation-options.json"
LOCK_NAME = "adapt.lock"


@dataclass(frozen=True)
class Record:
    """The content of `adaptation-options.json`."""

    options: dict[str, Any]
    shards: dict[str, str]
    """Text → fingerprint of its shards, of all that is trained and measured on; empty until the options are settled."""


def read_record(folder: Path) -> Record | None:
    """The record of a folder; None where there is none."""
    try:
        return Record(**json.loads((folder / RECORD_NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise PretrainingError(f"{folder / RECORD_NAME} is damaged; choose another --output") from error


def claim(layout: Layout, options: dict[str, Any]) -> Record:
    """Makes the folder that of these options; call it while the folder is locked.

    PretrainingError where it is another program's, or another adaptation's. What was begun with options that have been
    corrected since is removed.
    """
    folder, options = layout.folder, dict(json.loads(json.dumps(options)))
    require_own(folder, RECORD_NAME, LOCK_NAME)
    found = read_record(folder)
    if found is not None and found.options == options:
        return found
    if found is not None and found.shards:
        raise PretrainingError(
            f"{folder} holds an adaptation with other options ({', '.join(differences(found.options, options))}); give "
            "these again to go on, or choose another --output"
        )
    record = Record(options, {})
    _write(folder, record)
    for begun in layout.before_settling:
        shutil.rmtree(begun, ignore_errors=True)
    return record


def settle(layout: Layout, record: Record, shards: dict[str, str]) -> None:
    """Writes down the shards; PretrainingError where they are others than before."""
    if record.shards and record.shards != shards:
        changed = ", ".join(
            sorted(name for name in {**record.shards, **shards} if record.shards.get(name) != shards.get(name))
        )
        raise PretrainingError(
            f"{changed}: the shards are not those that this adaptation began with; choose another --output"
        )
    _write(layout.folder, Record(record.options, shards))


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The options that differ, as "name: before → now"."""
    return [
        f"{key}: {_said(before.get(key))} → {_said(now.get(key))}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _write(folder: Path, record: Record) -> None:
    write_text(folder / RECORD_NAME, json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")
