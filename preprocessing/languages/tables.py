"""Finding a language's table by its code."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from preprocessing.languages.codes import plain_language

_FOLDER = Path(__file__).parent
LANGUAGES = frozenset(file.stem for file in _FOLDER.glob("*.toml"))
"""Codes (ISO 639-1) that have a table."""

# Languages that share a table.
_TABLE_OF = {"nb": "no", "nn": "no"}
# Chinese languages that are written and stored as Chinese is; the names of an edition's templates are its own.
_WRITTEN_AS = dict.fromkeys(("yue", "lzh", "wuu", "gan"), "zh")


def section(code: str, name: str) -> dict[str, Any]:
    """The section `[name]` of the language's table, as TOML has it; empty where there is none.

    `code` is ISO 639-1 or an edition's code, with or without a variant: `zh-hans` and `zh` have one table.
    """
    language = plain_language(code)
    language = _TABLE_OF.get(language, language)
    if name != "wikitext":
        language = _WRITTEN_AS.get(language, language)
    # The code comes from outside: it is looked up among the tables, never made part of a path.
    return _table(language).get(name, {}) if language in LANGUAGES else {}


@functools.cache
def _table(language: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
