"""Options from a TOML file: the same keys as on the command line."""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from preprocessing.arguments.installed_files import that_comes_along
from preprocessing.storage import RemotePath


def read_table(path: str | Path | RemotePath, error_class: type[Exception]) -> dict[str, Any]:
    """The content of a TOML file, also of one that is installed with this project; raises `error_class` without one."""
    try:
        file = path if isinstance(path, RemotePath) else that_comes_along(Path(path))
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise error_class(f"--config {path}: there is no such file.") from error
    except (OSError, ValueError) as error:  # not UTF-8, or a name that none can have
        raise error_class(f"--config {path} cannot be read ({error}); give a TOML file.") from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of endless digits, and of brackets in brackets
        raise error_class(f"--config {path} is not TOML: {error}{_line_named(str(error), text)}.") from error


def _line_named(message: str, text: str) -> str:
    """The line that a message of the TOML parser means, as it stands in the file: it names the key."""
    found = re.search(r"\(at line (\d+),", message)
    line = text.splitlines()[int(found[1]) - 1 : int(found[1])] if found else []
    return f": {shortened(line[0].strip())}" if line and line[0].strip() else ""


def shortened(value: Any, most: int = 80) -> str:
    """A value as one line of a message can hold it."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[:most]}…"


def flatten(table: dict[str, Any], keys: Collection[str], prefix: str = "") -> tuple[dict[str, Any], list[str]]:
    """The values of nested tables by dotted key, and the dotted names that are not among `keys`."""
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        if key in keys:
            values[key] = value
        elif isinstance(value, dict) and any(known.startswith(f"{key}.") for known in keys):
            inner, strange = flatten(value, keys, f"{key}.")
            values |= inner
            unknown += strange
        else:
            unknown.append(key)
    return values, unknown


def set_in(table: dict[str, Any], key: str, value: Any) -> bool:
    """Sets a dotted key in nested tables; False where a part of the key is a value already."""
    *parents, last = key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            return False
    table[last] = value
    return True


def toml_value(text: str) -> Any:
    """A TOML value where the text is one, else the text itself: paths and names need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
