"""Recognising disambiguation pages by what their editors put on them, in the language of the edition."""

import functools
from collections.abc import Iterable

from preprocessing.wikitext.edition import edition, international
from preprocessing.wikitext.templates.expansion import canonical


def is_disambiguation(title: str, text: str, templates: Iterable[str], language: str = "") -> bool:
    """Whether the page lists meanings of a name. `templates`: the canonical names of its dropped templates."""
    names, endings = _signs(language)
    return not names.isdisjoint(templates) or "__DISAMBIG__" in text or title.endswith(endings)


@functools.cache
def _signs(language: str) -> tuple[frozenset[str], tuple[str, ...]]:
    tables = (edition(language), international())
    names = frozenset(canonical(name) for table in tables for name in table.disambiguation)
    return names, tuple(f"({text})" for table in tables for text in table.disambiguation_titles)
