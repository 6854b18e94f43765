"""What is known of mutants: a file of JSON lines, so that a run that was stopped goes on where it was.

A line holds for one mutant while its module is the same. A kill is kept; a survivor is asked again when its tests have
changed.
"""

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One mutant and what became of it."""

    module: str
    module_digest: str
    tests_digest: str
    key: str
    scope: str
    line: int
    before: str
    after: str
    killed: bool
    by: str
    seconds: float


class Ledger:
    """The file, read once and added to line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[tuple[str, str], Entry] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = Entry(**json.loads(line))
                except (ValueError, TypeError):  # the last line of a run that was killed
                    continue
                self._entries[entry.module, entry.key] = entry

    def known(self, module: str, module_digest: str, tests_digest: str, key: str) -> Entry | None:
        """What still holds of a mutant."""
        entry = self._entries.get((module, key))
        if entry is None or entry.module_digest != module_digest:
            return None
        return entry if entry.killed or entry.tests_digest == tests_digest else None

    def add(self, entry: Entry) -> None:
        """Keeps what was found out."""
        self._entries[entry.module, entry.key] = entry
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")


def equivalents(path: Path) -> dict[tuple[str, str, str, str], str]:
    """(module, scope, before, after) of mutants that no test can tell from the original → the reason.

    The file is a list of `[[equivalent]]` with these keys and `reason`; each has one.
    """
    found = {}
    for table in tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", []):
        if set(table) != {"module", "scope", "before", "after", "reason"} or not table["reason"].strip():
            raise ValueError(f"{path}: an [[equivalent]] has module, scope, before, after and reason, not {table}")
        found[table["module"], table["scope"], table["before"], table["after"]] = table["reason"]
    return found
