"""From a template and plain values to one self-contained page."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from pages.scales import short


def render(package: str, template: str, values: Mapping[str, Any], filters: Mapping[str, Any] | None = None) -> str:
    """The page of `templates/TEMPLATE` in a package (`pretraining.run`), which extends `base.html`.

    Everything in `values` that is not `Markup` is escaped: text of corpora is hostile. A name that is not given is an
    error (`jinja2.UndefinedError`), never an empty place. The same values give the same bytes.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("pages")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "share": share, "large": large, **(filters or {})}
    environment.globals["style"] = _style()
    return environment.get_template(template).render(values)


def count(number: float) -> str:
    """A whole number with commas."""
    return f"{number:,.0f}"


def large(number: float) -> str:
    """A whole number with commas, from a million on in few characters: 4,800, 3.3B."""
    return count(number) if number < 1_000_000 else short(number)


def share(part: float, digits: int = 1) -> str:
    """A share of one in percent: 12.5%."""
    return f"{part:.{digits}%}"


@cache
def _style() -> Markup:
    """The style sheet as it goes into the page; it holds nothing but what stands in that file."""
    return Markup(files("pages").joinpath("templates/style.css").read_text(encoding="utf-8"))  # noqa: S704
