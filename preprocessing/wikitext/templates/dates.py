"""Dates in templates, written out as the language does."""

from collections.abc import Callable

from preprocessing.wikitext.edition import Dates
from preprocessing.wikitext.templates.arguments import Arguments, parse

Render = Callable[[list[str]], str]

# Arguments that say how a date is to be shown, and are none of its parts.
_FORMATS = frozenset({"mdy", "dmy", "ymd", "iso", "my", "md", "dm", "y", "none"})
_YES = frozenset({"y", "yes", "1", "t", "true", "on"})
ORDERS = ("ymd", "dmy", "mdy")


def month_name(text: str, dates: Dates, alone: bool = False) -> str:
    """A month's name from its number; other text as it stands."""
    if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 12:
        names = (dates.months_alone or dates.months) if alone else dates.months
        return names[int(text) - 1] if names else f"{int(text):02}"
    return text


def day_written(text: str, dates: Dates) -> str:
    """A day of the month without a leading zero; the first one as the language writes it."""
    text = text.lstrip("0") or text
    return dates.first_day if text == "1" else text


def written(year: str, month: str, day: str, dates: Dates, day_first: bool = False) -> str:
    """What is there of a date, in the order of the language."""
    if not month:
        return year
    if not day:
        if not year:
            return month_name(month, dates, alone=True)
        return dates.month_year.format(year=year, month=month_name(month, dates, alone=True))
    day = day_written(day, dates) if dates.months else f"{day:0>2}"
    month = month_name(month, dates)
    if not year:
        return dates.day_month.format(month=month, day=day)
    return ((day_first and dates.day_first) or dates.full).format(year=year, month=month, day=day)


def date(order: str, dates: Dates) -> Render:
    """Year, month and day in this order, or the opposite one where a year stands at the other end.

    A single argument is a date in words, or in ISO 8601.
    """

    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        parts = [part for part in _first(arguments, 4) if part.lower() not in _FORMATS][:3]
        day_first = arguments.get("df").lower() in _YES
        if not any(parts):
            year, month, day = (arguments.get(name) for name in ("year", "month", "day"))
        elif not any(parts[1:]):
            year, month, day = _in_iso(parts[0])
        else:
            year, month, day = _ordered([*parts, "", ""][:3], order)
        return written(year, month, day, dates, day_first)

    return render


def _first(arguments: Arguments, count: int) -> list[str]:
    return [arguments.at(number) for number in range(1, count + 1)]


def _in_iso(text: str) -> tuple[str, str, str]:
    """Year, month and day; a date in words stands in the place of the year."""
    parts = text.split("-")
    if len(parts) == 3 and all(map(str.isdecimal, parts)) and len(parts[0]) == 4:
        return parts[0], parts[1], parts[2]
    return text, "", ""


def _ordered(parts: list[str], order: str) -> tuple[str, str, str]:
    """Year, month, day."""
    if order == "ymd" and _is_year(parts[2]) and not _is_year(parts[0]):
        order = "dmy"
    elif order != "ymd" and _is_year(parts[0]) and not _is_year(parts[2]):
        order = "ymd"
    return parts[order.index("y")], parts[order.index("m")], parts[order.index("d")]


def _is_year(text: str) -> bool:
    digits = text.lstrip("-−")
    return digits.isdecimal() and (len(digits) > 2 or int(digits) > 31)


def as_of(words: tuple[str, ...], dates: Dates) -> Render:
    """`words`: those of the beginning of a sentence, of its middle, and the same for `since=y`."""
    upper, lower, since_upper, since_lower = words

    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        if alternative := arguments.get("alt"):
            return alternative
        shown = written(arguments.at(1), arguments.at(2), arguments.at(3), dates, day_first=True)
        pair = (since_upper, since_lower) if arguments.get("since") else (upper, lower)
        return f"{pair[1] if arguments.get('lc') else pair[0]} {shown}" if shown else ""

    return render


def circa(word: str) -> Render:
    """The word before every year: c. 1900 – c. 1910."""

    def render(raw: list[str]) -> str:
        years = [text for text in parse(raw).positional if text]
        return f" – {word} ".join(["", *years]).removeprefix(" – ") if years else word

    return render


def span(word: str) -> Render:
    """The word before a span of years: r. 1509–1547."""
    return lambda raw: f"{word} {'–'.join(text for text in parse(raw).positional[:2] if text)}".strip()


def century(word: str, before: str, after: str) -> Render:
    """{{siglo|XIX||s}} of the Spanish edition: the word only where the third argument asks, "S" for a capital.

    The second argument says the era: a, before, or d, after.
    """

    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        text, era, form = arguments.at(1), arguments.at(2).lower(), arguments.at(3)
        if not text:
            return ""
        shown = {"s": f"{word} ", "S": f"{word.capitalize()} "}.get(form[:1], "") + text
        return shown + {"a": f" {before}", "d": f" {after}"}.get(era[:1], "")

    return render
