"""Templates that hold dates, written out in English as MediaWiki would show them."""

from preprocessing.wikitext.names import phrases
from preprocessing.wikitext.templates.arguments import Arguments, parse
from preprocessing.wikitext.templates.wrappers import Render

_MONTHS = phrases("January, February, March, April, May, June, July, August, September, October, November, December")
_DATE_FORMATS = {"", "mdy", "dmy", "ymd", "iso"}


def _month(text: str) -> str:
    """A month's name from its number; other text as it stands."""
    if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 12:
        return _MONTHS[int(text) - 1]
    return text


def _written(year: str, month: str, day: str, day_first: bool) -> str:
    month = _month(month)
    day = day.lstrip("0")
    if not month:
        return year
    if not day:
        return f"{month} {year}".strip()
    if day_first:
        return f"{day} {month} {year}".strip()
    return f"{month} {day}, {year}".strip(", ")


def _is_day_first(arguments: Arguments) -> bool:
    return arguments.get("df").lower() in {"y", "yes", "1", "t", "true", "on"}


def _date(raw: list[str]) -> str:
    """{{birth date|1980|5|12|df=y}}; a single argument is a date in words."""
    arguments = parse(raw)
    return _written(arguments.at(1), arguments.at(2), arguments.at(3), _is_day_first(arguments))


def _as_of(raw: list[str]) -> str:
    arguments = parse(raw)
    if alternative := arguments.get("alt"):
        return alternative
    words = "as of" if arguments.get("lc") else "As of"
    if arguments.get("since"):
        words = "since" if arguments.get("lc") else "Since"
    written = _written(arguments.at(1), arguments.at(2), arguments.at(3), day_first=True)
    return f"{words} {written}" if written else ""


def _day_month_year(raw: list[str]) -> str:
    """{{date|12|mai|1980}} of the French edition, {{date|2010-05-12|mdy}} elsewhere."""
    return " ".join(text for text in parse(raw).positional[:3] if text.lower() not in _DATE_FORMATS)


def _old_style(raw: list[str]) -> str:
    """{{OldStyleDate|22 February|1732|11 February}}: the date of the new calendar, then that of the old."""
    arguments = parse(raw)
    new = " ".join(text for text in (arguments.at(1), arguments.at(2)) if text)
    return f"{new} [O.S. {old}]" if (old := arguments.at(3)) else new


def _circa(raw: list[str]) -> str:
    positional = [text for text in parse(raw).positional if text]
    return f"c. {' – c. '.join(positional)}" if positional else "c."


def _span(word: str) -> Render:
    """{{reign|1509|1547}} → r. 1509–1547."""

    def render(raw: list[str]) -> str:
        return f"{word} {'–'.join(text for text in parse(raw).positional[:2] if text)}".strip()

    return render


def _marriage(raw: list[str]) -> str:
    arguments = parse(raw)
    years = "–".join(text for text in (arguments.at(2), arguments.at(3)) if text)
    return f"{arguments.at(1)} (m. {years})" if years else arguments.at(1)


def _century(raw: list[str]) -> str:
    """{{s|XIX|e}} of the French edition, {{siglo|XIX}} of the Spanish one."""
    arguments = parse(raw)
    return f"{arguments.at(1)}{arguments.at(2)} siècle" if arguments.at(1) else ""


def _siglo(raw: list[str]) -> str:
    text = parse(raw).at(1)
    return f"siglo {text}" if text else ""


_GROUPS: list[tuple[str, Render]] = [
    (
        """start date, start-date, start date and age, end date, end-date, end date and age, birth date, birth-date,
        birth date and age, birth-date and age, death date, death-date, death date and age, death-date and age, dob,
        bda, film date, dts, date table sorting, fecha""",
        _date,
    ),
    ("as of, as-of", _as_of),
    ("date, date-", _day_month_year),
    ("oldstyledate, old style date, oldstyledatedy", _old_style),
    ("circa, c., ca, ca.", _circa),
    ("reign, r.", _span("r.")),
    ("floruit, fl., fl", _span("fl.")),
    ("born, b.", _span("b.")),
    ("died, d.", _span("d.")),
    ("marriage", _marriage),
    ("s, s-", _century),
    ("siglo", _siglo),
]

RENDERERS: dict[str, Render] = {name: render for names, render in _GROUPS for name in phrases(names)}
