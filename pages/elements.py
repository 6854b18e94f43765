"""Elements of HTML and SVG as text in which whatever comes from outside is escaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Attribute = str | float | bool | None


def element(tag: str, /, *children: str | Iterable[str], **attributes: Attribute) -> Markup:
    """`<tag …>children</tag>`. Children are escaped unless they are `Markup`; so are the values of attributes.

    `_` in the name of an attribute is a hyphen, one at its end is left out (`class_`). None and False leave the
    attribute out, True leaves it without a value; numbers have at most two decimals.
    """
    parts = [Markup(" {}").format(_name(key)) + _value(value) for key, value in attributes.items() if _is_there(value)]
    inner = Markup("").join(
        escape(piece) for child in children for piece in ([child] if isinstance(child, str) else child)
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), Markup("").join(parts), inner)  # noqa: S704


def percent(share: float) -> str:
    """A share of one as a length of CSS and SVG, in percent of the surrounding box."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def _name(key: str) -> Markup:
    # Names are written in this package, never taken from data. `viewBox` and the like keep their capitals.
    return Markup(key.rstrip("_").replace("_", "-"))  # noqa: S704


def _is_there(value: Attribute) -> bool:
    return value is not None and value is not False


def _value(value: Attribute) -> Markup:
    if value is True:
        return Markup("")
    text = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
    return Markup('="{}"').format(text)
