"""Templates whose text belongs to the sentence around them; every other template is dropped and counted.

A renderer takes the arguments as they stand between the pipes, already rendered, and returns text. What a template
shows is in `wrappers.py`, `quantities.py` and `dates.py`; a new one is one more name in their tables.
"""

import re
from collections.abc import Callable

from preprocessing.wikitext.templates import dates, quantities, wrappers
from preprocessing.wikitext.templates.wrappers import Render

_RENDERERS: dict[str, Render] = {**wrappers.RENDERERS, **quantities.RENDERERS, **dates.RENDERERS}

# Parser functions that only write their argument in another way: {{lc:ABC}}.
_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "formatnum": str,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}

_GERMAN_LANGUAGE = re.compile("[a-z]{2,3}S")
_CACHE_LIMIT = 1 << 16
_CACHED_NAME_LIMIT = 100
_cache: dict[str, Render | None] = {}


def find(name: str) -> Render | None:
    """The renderer of a template by its name as written, or None when the template is dropped."""
    try:
        return _cache[name]
    except KeyError:
        pass
    render = _find(name)
    if len(name) <= _CACHED_NAME_LIMIT:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        _cache[name] = render
    return render


def canonical(name: str) -> str:
    """A template's name in one spelling: lower case, one space between words, no namespace."""
    return " ".join(name.replace("_", " ").lower().split()).removeprefix("template:")


def _find(name: str) -> Render | None:
    key = canonical(name)
    render = _RENDERERS.get(key)
    if render is not None:
        return render
    function, colon, argument = name.partition(":")
    if colon:
        write = _FUNCTIONS.get(function.strip().lower())
        if write is not None:
            # Behind the colon stands the argument, or what is nested there: {{lc:{{x}}}}.
            return lambda arguments: write(argument.strip() or "".join(arguments[:1]).strip())
    # {{lang-ru|text}}, {{lang-zh-hans|text}}; {{laS|text}} of the German edition
    is_foreign = key.startswith("lang-") or _GERMAN_LANGUAGE.fullmatch(name.strip()) is not None
    return wrappers.argument(1) if is_foreign else None
