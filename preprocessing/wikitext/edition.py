"""What the table of a language says of its edition of Wikipedia: names, dates, and what templates show.

The section `[wikitext]` of `preprocessing/languages/`. What means the same in every edition, and the English
names that all of them understand, are in `international.toml` here. A table is data: what a template shows is an
expression of the small language of `templates/expressions.py`.
"""

import functools
import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from preprocessing.languages import section

DEFAULT_LANGUAGE = "en"
"""The language of a site that says none."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dates(_Table):
    """How a date is written. Without months it is a row of numbers, which every language reads."""

    months: tuple[str, ...] = ()
    """Names as they stand beside a day, January first."""
    months_alone: tuple[str, ...] = ()
    """Names as they stand beside a year only, where these are others."""
    full: str = "{year}-{month}-{day}"
    day_first: str = ""
    """For a template that asks for it (`df=y`)."""
    month_year: str = "{year}-{month}"
    day_month: str = "{month}-{day}"
    first_day: str = "1"
    """How the first day of a month is written."""


class Edition(_Table):
    """Names in any case, as editors write them; underscores and blanks are the same."""

    file: tuple[str, ...] = ()
    """Namespace 6 and its aliases, which a dump's head does not tell."""
    category: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    redirect: tuple[str, ...] = ()
    """Words that begin a page that only leads to another, with their `#`."""
    switches: tuple[str, ...] = ()
    """Words between two underscores on each side that change how a page is shown, without these."""
    page_name: tuple[str, ...] = ()
    """Variables that show the title of the page."""
    functions: dict[str, tuple[str, ...]] = {}
    """Names of the parser functions that write their argument in another way, by the English name."""
    disambiguation: tuple[str, ...] = ()
    """Templates that mark a page which lists the meanings of a name."""
    disambiguation_titles: tuple[str, ...] = ()
    """What such a page's title has in brackets at its end."""
    dates: Dates = Dates()
    words: dict[str, str] = {}
    """What stands between two numbers: `to`, `and`, `or`, `by`."""
    templates: dict[str, tuple[str, ...]] = {}
    """Expression -> names of the templates that show it; a name may be a family, as in `templates/expansion.py`."""


@functools.cache
def edition(language: str) -> Edition:
    """The edition in a language; empty where nothing is known of it, English where none is named."""
    language = (language or DEFAULT_LANGUAGE).lower()
    return Edition.model_validate(section(language, "wikitext"))


@functools.cache
def international() -> Edition:
    """What holds in every edition."""
    table = files("preprocessing.wikitext").joinpath("international.toml").read_text(encoding="utf-8")
    return Edition.model_validate(tomllib.loads(table))


@functools.cache
def hidden_namespaces(language: str) -> frozenset[str]:
    """Namespaces whose links show nothing where they stand, files and categories, in lower case."""
    tables = (edition(language), international())
    return frozenset(name.lower() for table in tables for name in (*table.file, *table.category))
