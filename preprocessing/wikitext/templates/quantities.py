"""Templates that hold numbers and units: the numbers stay as their authors wrote them.

Only what the author wrote is kept, not what MediaWiki would compute from it: {{convert|100|km|mi}} is "100 km".
"""

import re

from preprocessing.wikitext.names import phrases
from preprocessing.wikitext.templates.arguments import parse
from preprocessing.wikitext.templates.wrappers import Render, argument

_NUMBER = re.compile(r"[-−–+±]?[0-9.,⁄/]*[0-9][0-9.,⁄/+%eE-]*$")

# How a range is written between two numbers of {{convert}}.
_JOINS = {
    "-": "–", "–": "–", "to": " to ", "to-": " to ", "and": " and ", "and(-)": " and ", "&": " & ", "or": " or ",
    "by": " by ", "x": " × ", "xx": " × ", "×": " × ", "*": " × ", "+/-": " ± ", "±": " ± ", "+": " + ", ",": ", ",
    ", and": ", and ", "to(-)": " to ", "–-": "–", "e": "–", "u": " or ", "bis": " bis ", "à": " à ", "et": " et ",
}  # fmt: skip

# Unit codes that are not what a reader sees.
_UNITS = {
    "sqmi": "sq mi", "sqkm": "km²", "km2": "km²", "m2": "m²", "cm2": "cm²", "mm2": "mm²", "sqft": "sq ft",
    "sqin": "sq in", "sqyd": "sq yd", "ft2": "sq ft", "mi2": "sq mi", "km3": "km³", "m3": "m³", "cm3": "cm³",
    "cuft": "cu ft", "cuin": "cu in", "cumi": "cu mi", "cuyd": "cu yd", "ft3": "cu ft", "C": "°C", "F": "°F",
    "degC": "°C", "degF": "°F", "usgal": "US gal", "impgal": "imp gal", "U.S.gal": "US gal", "/sqmi": "/sq mi",
    "/km2": "/km²", "PD/sqmi": "/sq mi", "PD/km2": "/km²", "m/s2": "m/s²", "e6acre": "million acres",
    "Moilbbl": "million barrels", "Moilbbl/d": "million barrels per day", "oilbbl": "barrels",
    "oilbbl/d": "barrels per day", "MUSgal": "million US gal", "e6USgal": "million US gal", "e3acre": "thousand acres",
    "lt": "long tons", "ST": "short tons", "LT": "long tons", "MT": "t", "ftin": "ft",
}  # fmt: skip

_SECOND_UNITS = {"ft": {"in"}, "foot": {"in"}, "yd": {"ft"}, "lb": {"oz"}, "st": {"lb"}, "mi": {"ch", "yd", "ft"},
                 "m": {"cm"}, "LT": {"cwt"}, "cwt": {"lb"}}  # fmt: skip


def _convert(raw: list[str]) -> str:
    """{{convert|5|to|10|km|mi}}, {{convert|6|ft|2|in|m}}: numbers, joins and the first unit (or chain)."""
    positional = parse(raw).positional
    text = ""
    position = 0
    while position < len(positional):
        part = positional[position]
        if _NUMBER.match(part.replace(" ", "")):
            text += part
        elif part in _JOINS and text and position + 1 < len(positional):
            text += _JOINS[part]
        else:
            text += f" {_UNITS.get(part, part)}"
            following = positional[position + 1 : position + 3]
            is_chain = len(following) == 2 and following[1] in _SECOND_UNITS.get(part, ())
            if not is_chain or not _NUMBER.match(following[0]):
                break
            text += " "
        position += 1
    return text.strip()


def _value(raw: list[str]) -> str:
    """{{val|1.5|0.2|e=6|u=kg}} → 1.5 ± 0.2×10^6 kg."""
    arguments = parse(raw)
    text = arguments.at(1)
    if uncertainty := arguments.at(2):
        text += f" ± {uncertainty.strip('()')}"
    if exponent := arguments.get("e"):
        text += f"×10^{exponent}"
    if unit := arguments.get("u", "ul", "up", "upl"):
        text += f" {unit}"
    return text.strip()


def _fraction(raw: list[str]) -> str:
    match parse(raw).positional:
        case [denominator] if denominator:
            return f"1/{denominator}"
        case [numerator, denominator]:
            return f"{numerator}/{denominator}"
        case [whole, numerator, denominator, *_]:
            return f"{whole} {numerator}/{denominator}"
    return ""


def _exponent(raw: list[str]) -> str:
    power = parse(raw).at(1)
    return f"×10^{power}" if power else ""


def _power(raw: list[str]) -> str:
    arguments = parse(raw)
    return f"{arguments.at(1)}^{arguments.at(2)}" if arguments.at(2) else f"10^{arguments.at(1)}"


def _gaps(raw: list[str]) -> str:
    return "".join(parse(raw).positional)


def _height(raw: list[str]) -> str:
    arguments = parse(raw)
    parts = [(name, value) for name in ("m", "cm", "ft", "in") if (value := arguments.get(name))]
    return " ".join(f"{value} {name}" for name, value in parts)


def _degrees(raw: list[str]) -> str:
    signs = ("°", "′", "″")
    texts = parse(raw).positional
    return "".join(f"{text}{sign}" for text, sign in zip(texts, signs, strict=False) if text)


def _with_unit(raw: list[str]) -> str:
    """{{unité|10|km}}, {{unidad|10|km}}, {{nombre|10|habitants}}, {{M|10|u=km}}."""
    arguments = parse(raw)
    parts = (arguments.at(1), arguments.at(2), arguments.get("u", "ul"))
    return " ".join(part for part in parts if part)


def _ordinal(raw: list[str]) -> str:
    text = parse(raw).at(1)
    if not text.isdecimal():
        return text
    number = int(text[-2:])
    suffix = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{text}{suffix}"


def _money(sign: str) -> Render:
    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        amount = " ".join(text for text in (arguments.at(1), arguments.at(2)) if text and not text.isupper())
        return f"{sign}{amount}" if amount else sign

    return render


def _rail_gauge(raw: list[str]) -> str:
    text = parse(raw).at(1)
    return re.sub(r"^([0-9.]+)([a-z]+)$", r"\1 \2", text)


_GROUPS: list[tuple[str, Render]] = [
    ("convert, cvt", _convert),
    ("val", _value),
    ("frac, fraction, sfrac", _fraction),
    ("e, esp", _exponent),
    ("pow, 10^", _power),
    (
        "formatnum, num, number, nts, number table sorting, decimal, число, percent, pct, percentage, currency",
        argument(1),
    ),
    ("gaps", _gaps),
    ("height", _height),
    ("deg2dms, dms", _degrees),
    ("unité, unidad, unitat, nombre, m", _with_unit),
    ("ordinal, ord", _ordinal),
    ("us$, usd", _money("US$")),
    ("a$, aud", _money("A$")),
    ("ca$, c$, cad", _money("C$")),
    ("gbp, £", _money("£")),
    ("eur, €, euro", _money("€")),
    ("inr, indian rupee, ₹, inrconvert", _money("₹")),
    ("jpy, ¥, yen", _money("¥")),
    ("track gauge, railgauge, rail gauge", _rail_gauge),
]

RENDERERS: dict[str, Render] = {name: render for names, render in _GROUPS for name in phrases(names)}
