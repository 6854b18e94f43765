"""Expressions: what a template shows, in one line of a table.

    first                     the first positional argument; also second, third, fourth, last
    {1} de {2:month}          a pattern (`patterns.py`): any expression that holds a "{"
    constant "–"              the same text always
    date dmy                  a date whose arguments are in this order, written as the language does
    drop                      nothing, on purpose: what it shows is no text of the sentence

`_PLAIN` and `_WITH_TEXTS` hold all of them. Texts stand in quotation marks of either kind, or in
`backticks`. Nothing else can be written:
a table is data.
"""

import difflib
import re
from collections.abc import Callable, Sequence

from preprocessing.wikitext.edition import Edition
from preprocessing.wikitext.templates import dates, quantities, wrappers
from preprocessing.wikitext.templates.patterns import PatternError, compile_pattern

Render = Callable[[list[str]], str]

DROP = "drop"
RAISED = quantities.superscript
"""The renderer whose text stands above the line: what is before it decides whether it is a power."""
_PLAIN: dict[str, Render] = {
    "first": wrappers.argument(1),
    "second": wrappers.argument(2),
    "third": wrappers.argument(3),
    "fourth": wrappers.argument(4),
    "last": wrappers.last,
    "items": wrappers.items,
    "quotation": wrappers.quotation,
    "nihongo": wrappers.nihongo,
    "named-source": wrappers.named_source,
    "interlanguage": wrappers.interlanguage,
    "ship": wrappers.ship(),
    "ship-class": wrappers.ship_class,
    "value": quantities.value,
    "fraction": quantities.fraction,
    "share": quantities.share,
    "power": quantities.power,
    "superscript": quantities.superscript,
    "height": quantities.height,
    "degrees": quantities.degrees,
    "with-unit": quantities.with_unit,
    "english-ordinal": quantities.english_ordinal,
    "rail-gauge": quantities.rail_gauge,
    "currency": quantities.currency,
}
# Name -> how many texts it takes (at least, at most), and what it makes of them and the language's table.
_WITH_TEXTS: dict[str, tuple[int, int, Callable[[Sequence[str], Edition], Render]]] = {
    "joined": (0, 1, lambda texts, _: wrappers.joined(texts[0] if texts else "")),
    "quotation-of": (1, 1, lambda texts, _: wrappers.quotation_of(texts[0])),
    "constant": (1, 1, lambda texts, _: wrappers.constant(texts[0])),
    "money": (1, 1, lambda texts, _: quantities.money(texts[0])),
    "ship-of": (1, 1, lambda texts, _: wrappers.ship(texts[0])),
    "circa": (1, 1, lambda texts, _: dates.circa(texts[0])),
    "span": (1, 1, lambda texts, _: dates.span(texts[0])),
    "century": (3, 3, lambda texts, _: dates.century(*texts)),
    "as-of": (4, 4, lambda texts, table: dates.as_of(tuple(texts), table.dates)),
    "convert": (0, 0, lambda _, table: quantities.convert(table.words)),
}
_TEXTS = re.compile(r"""\s+(?:"([^"]*)"|'([^']*)'|`([^`]*)`)""")
NAMES = (*_PLAIN, *_WITH_TEXTS, *(f"date {order}" for order in dates.ORDERS), DROP)
"""Every expression that is no pattern, without the texts behind it."""


class ExpressionError(ValueError):
    """An expression that means nothing; the message says what is wrong with it."""


def compile_expression(text: str, table: Edition, star: str = "") -> Render | None:
    """The renderer that an expression means in a language, None for `drop`.

    `star` is what the `*` in a template's name stood for. Raises ExpressionError.
    """
    text = text.strip()
    if "{" in text:
        try:
            return compile_pattern(text, table.dates, star)
        except PatternError as error:
            raise ExpressionError(f"{text!r} is no pattern: {error}") from error
    if text == DROP:
        return None
    if text in _PLAIN:
        return _PLAIN[text]
    if text.startswith("date "):
        order = text.removeprefix("date ").strip()
        if order in dates.ORDERS:
            return dates.date(order, table.dates)
    word = text.split(maxsplit=1)[0] if text else ""
    if word in _WITH_TEXTS:
        least, most, make = _WITH_TEXTS[word]
        texts = _texts(text, len(word))
        if texts is not None and least <= len(texts) <= most:
            return make(texts, table)
        wanted = f"{least} texts" if least != 1 else "one text"
        raise ExpressionError(
            f"{text!r} has another number of texts than {word} takes ({wanted}, each in quotation marks)"
        )
    near = difflib.get_close_matches(text, NAMES, 1, 0.4) or difflib.get_close_matches(word, NAMES, 1, 0.4)
    raise ExpressionError(
        f"there is no renderer {text!r}" + (f"; the nearest is {near[0]!r}" if near else "; for instance 'first'")
    )


def _texts(text: str, position: int) -> list[str] | None:
    texts = []
    while position < len(text):
        match = _TEXTS.match(text, position)
        if match is None:
            return None
        texts.append(next(text for text in match.groups() if text is not None))
        position = match.end()
    return texts
