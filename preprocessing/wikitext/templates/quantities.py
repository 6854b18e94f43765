"""Templates that hold numbers and units: the numbers stay as their authors wrote them.

Only what the author wrote is kept, not what MediaWiki would compute from it: {{convert|100|km|mi}} is "100 km".
"""

import re
from collections.abc import Callable, Mapping

from preprocessing.wikitext.templates.arguments import parse

Render = Callable[[list[str]], str]

_NUMBER = re.compile(r"[-−–+±]?[0-9.,⁄/]*[0-9][0-9.,⁄/+%eE-]*$")
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_POWER = re.compile(r"[-−–]?[0-9]{1,2}")

# How a range is written between two numbers of {{convert}}, whatever the language; words are the language's own.
_SIGNS = {
    "-": "–", "–": "–", "x": " × ", "xx": " × ", "×": " × ", "*": " × ", "+/-": " ± ", "±": " ± ", "+": " + ",
    ",": ", ", "&": " & ", "–-": "–", "e": "–",
}  # fmt: skip
_WORDS = {"to": "to", "to-": "to", "to(-)": "to", "and": "and", "and(-)": "and", ", and": "and", "or": "or",
          "by": "by"}  # fmt: skip
_WITHOUT_WORDS = {"to": "–", "and": " & ", "or": " / ", "by": " × "}

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

_SIGNS_OF_CURRENCIES = {
    "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "CN¥", "INR": "₹", "KRW": "₩", "RUB": "₽", "TRY": "₺",
    "ILS": "₪", "BRL": "R$", "AUD": "A$", "CAD": "C$", "NZD": "NZ$", "HKD": "HK$", "SGD": "S$", "TWD": "NT$",
    "MXN": "MX$", "PHP": "₱", "THB": "฿", "VND": "₫", "NGN": "₦", "UAH": "₴", "KZT": "₸", "GHS": "₵", "CRC": "₡",
    "PYG": "₲", "MNT": "₮", "LAK": "₭", "GEL": "₾", "AZN": "₼", "AMD": "֏",
}  # fmt: skip


def convert(words: Mapping[str, str]) -> Render:
    """{{convert|5|to|10|km|mi}}, {{convert|6|ft|2|in|m}}: numbers, joins and the first unit (or chain)."""
    joins = dict(_SIGNS)
    for code, word in _WORDS.items():
        joins[code] = f" {words[word]} " if word in words else _WITHOUT_WORDS[word]

    def render(raw: list[str]) -> str:
        positional = parse(raw).positional
        text = ""
        position = 0
        while position < len(positional):
            part = positional[position]
            if _NUMBER.match(part.replace(" ", "")):
                text += part
            elif part in joins and text and position + 1 < len(positional):
                text += joins[part]
            else:
                text += f" {_UNITS.get(part, part)}"
                following = positional[position + 1 : position + 3]
                is_chain = len(following) == 2 and following[1] in _SECOND_UNITS.get(part, ())
                if not is_chain or not _NUMBER.match(following[0]):
                    break
                text += " "
            position += 1
        return text.strip()

    return render


def value(raw: list[str]) -> str:
    """{{val|1.5|0.2|e=6|u=kg}} → 1.5 ± 0.2×10^6 kg."""
    arguments = parse(raw)
    text = arguments.get("p") + arguments.at(1)
    if uncertainty := arguments.at(2):
        text += f" ± {uncertainty.strip('()')}"
    if exponent := arguments.get("e"):
        text += f"×10^{exponent}" if text else f"10^{exponent}"
    text += arguments.get("s")
    if unit := arguments.get("u", "ul", "up", "upl"):
        text += f" {unit}"
    return text.strip()


def fraction(raw: list[str]) -> str:
    """{{frac|4}}, {{frac|3|4}}, {{frac|2|3|4}}."""
    match parse(raw).positional:
        case [denominator] if denominator:
            return f"1/{denominator}"
        case [numerator, denominator]:
            return f"{numerator}/{denominator}"
        case [whole, numerator, denominator, *_]:
            return f"{whole} {numerator}/{denominator}"
    return ""


def share(raw: list[str]) -> str:
    """{{percentage|1|4}} → 25%, {{percentage|1|3|1}} → 33.3%: what the author wrote says little without it."""
    part, whole, decimals = (parse(raw).at(place).replace(",", "") for place in (1, 2, 3))
    if not (_PLAIN_NUMBER.fullmatch(part) and _PLAIN_NUMBER.fullmatch(whole) and float(whole)):
        return ""
    return f"{100 * float(part) / float(whole):.{decimals if decimals in tuple('123456') else 0}f}%"


def power(raw: list[str]) -> str:
    """{{10^|6}}, {{pow|2|10}}."""
    arguments = parse(raw)
    return f"{arguments.at(1)}^{arguments.at(2)}" if arguments.at(2) else f"10^{arguments.at(1)}"


def superscript(raw: list[str]) -> str:
    """{{sup|6}}: the text alone; whether it is a power is seen where it stands, as with <sup>."""
    return parse(raw).at(1)


def height(raw: list[str]) -> str:
    """{{height|ft=5|in=11}}."""
    arguments = parse(raw)
    parts = [(name, text) for name in ("m", "cm", "ft", "in") if (text := arguments.get(name))]
    return " ".join(f"{text} {name}" for name, text in parts)


def degrees(raw: list[str]) -> str:
    """{{dms|51|28|38}}: degrees, minutes, seconds."""
    texts = parse(raw).positional
    return "".join(f"{text}{sign}" for text, sign in zip(texts, ("°", "′", "″"), strict=False) if text)


def with_unit(raw: list[str]) -> str:
    """{{unité|10|km}}, {{nombre|10|habitants}}, {{M|10|u=km}}; units may have powers, {{unité|10|m|3|s|-1}}."""
    arguments = parse(raw)
    number, *rest = arguments.positional or [""]
    number = arguments.at(1) or number
    if exponent := arguments.get("e"):
        number += f"×10^{exponent}"
    units: list[str] = []
    for text in rest:
        if units and _POWER.fullmatch(text):
            units[-1] += text
        elif text:
            units.append(text)
    named = arguments.get("u", "ul")
    return " ".join(part for part in (number, "·".join(units), named) if part)


def english_ordinal(raw: list[str]) -> str:
    """{{ordinal|22}} → 22nd."""
    text = parse(raw).at(1)
    if not text.isdecimal():
        return text
    number = int(text[-2:])
    suffix = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{text}{suffix}"


def money(sign: str) -> Render:
    """{{US$|3 million}}: the sign before the amount; the sign alone without one."""

    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        texts = (arguments.at(1), arguments.at(2))
        amount = " ".join(text for text in texts if text and not text.isupper() and not _is_link_choice(text))
        return f"{sign}{amount}" if amount else sign

    return render


def currency(raw: list[str]) -> str:
    """{{currency|123|EUR}}; a code without a sign of its own stands behind the amount."""
    arguments = parse(raw)
    amount, code = arguments.at(1) or arguments.get("amount"), arguments.at(2) or arguments.get("type") or "USD"
    sign = _SIGNS_OF_CURRENCIES.get(code.upper())
    if not amount:
        return ""
    return f"{sign}{amount}" if sign else f"{amount} {code}"


def _is_link_choice(text: str) -> bool:
    return text.lower() in ("link=yes", "link=no", "long=no")


def rail_gauge(raw: list[str]) -> str:
    """{{track gauge|1435mm}}."""
    return re.sub(r"^([0-9.]+)([a-z]+)$", r"\1 \2", parse(raw).at(1))
