"""Finding a language's table by its code."""

import functools
import tomllib
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
LANGUAGES = frozenset(file.stem for file in _FOLDER.glob("*.toml"))
"""Codes (ISO 639-1) that have a table."""

# Editions of Wikipedia that are written in another one's language, and languages that share a table.
_WRITTEN_IN = {"simple": "en", "nb": "no", "nn": "no"}


def section(code: str, name: str) -> dict[str, Any]:
    """The section `[name]` of the language's table, as TOML has it; empty where there is none.

    `code` is ISO 639-1 or an edition's code, with or without a variant: `zh-hans` and `zh` have one table.
    """
    language = code.lower().partition("-")[0]
    language = _WRITTEN_IN.get(language, language)
    # The code comes from outside: it is looked up among the tables, never made part of a path.
    return _table(language).get(name, {}) if language in LANGUAGES else {}


@functools.cache
def _table(language: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
