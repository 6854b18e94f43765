"""Templates that wrap, spell out or stand for text: what a reader of the page sees of them."""

from collections.abc import Callable

from preprocessing.wikitext.language_codes import LANGUAGE_CODES
from preprocessing.wikitext.templates.arguments import Arguments, parse

Render = Callable[[list[str]], str]

_NAMED_AUTHORS = 3
# What the text of a quotation is called.
_QUOTED = ("text", "quote", "texte", "texto", "testo", "tekst", "zitat", "citat", "content")


def argument(number: int) -> Render:
    """Renders as this positional argument."""

    def render(raw: list[str]) -> str:
        if len(raw) == 1 == number and "=" not in raw[0]:  # nearly every {{nowrap|text}}
            return raw[0].strip()
        return parse(raw).at(number)

    return render


def last(raw: list[str]) -> str:
    """The last positional argument."""
    positional = parse(raw).positional
    return positional[-1] if positional else ""


def joined(separator: str) -> Render:
    """All positional arguments that are not empty."""
    return lambda raw: separator.join(text for text in parse(raw).positional if text)


def constant(text: str) -> Render:
    """Always the same."""
    return lambda raw: text


def nihongo(raw: list[str]) -> str:
    """{{nihongo|English|kanji|romaji|extra}} → English (kanji, romaji, extra)."""
    arguments = parse(raw)
    texts = (arguments.at(2), arguments.at(3), arguments.at(4) or arguments.get("extra"))
    inside = ", ".join(text for text in texts if text)
    if not arguments.at(1):
        first, _, rest = inside.partition(", ")
        return f"{first} ({rest})" if rest else first
    shown = f"{arguments.at(1)} ({inside})" if inside else arguments.at(1)
    extra = arguments.at(5) or arguments.get("extra2")
    return f"{shown} {extra}" if extra else shown


def interlanguage(raw: list[str]) -> str:
    """{{ill|Title|de|Titel|lt=label}}: the label, else the title here; some editions put the language before it."""
    arguments = parse(raw)
    titles = [text for text in arguments.positional if text]
    if len(titles) > 1 and titles[0] in LANGUAGE_CODES:
        del titles[0]
    return arguments.get("lt", "label", "text") or (titles[0] if titles else "")


def named_source(raw: list[str]) -> str:
    """{{harvtxt|Smith|Jones|2001}} → Smith & Jones (2001): a source that the sentence names, unlike {{harv}}."""
    texts = [text for text in parse(raw).positional if text]
    if len(texts) < 2:
        return "".join(texts)
    *names, year = texts
    if len(names) > _NAMED_AUTHORS:
        return f"{names[0]} et al. ({year})"
    shown = " & ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    return f"{shown} ({year})"


def quotation(raw: list[str]) -> str:
    """A quotation that stands by itself: a paragraph of its own."""
    return _paragraph(parse(raw), _QUOTED)


def quotation_of(name: str) -> Render:
    """The same where the language calls the argument otherwise."""
    return lambda raw: _paragraph(parse(raw), (name, *_QUOTED))


def _paragraph(arguments: Arguments, names: tuple[str, ...]) -> str:
    text = arguments.get(*names) or arguments.at(1)
    return f"\n\n{text}\n\n" if text else ""


def items(raw: list[str]) -> str:
    """A list: an item for each argument."""
    return "".join(f"\n*{text}" for text in parse(raw).positional if text) + "\n"


# {{ship}} shows all of prefix, name and number; a format is a sum of what is shown.
_PREFIX, _NAME, _NUMBER = 4, 2, 1
_FORMATS = {"1": _NUMBER, "2": _NAME, "3": _NAME + _NUMBER, "5": _PREFIX + _NUMBER, "6": _PREFIX + _NAME}


def ship(prefix: str = "") -> Render:
    """{{USS|Enterprise|CVN-65}} → USS Enterprise (CVN-65); without a prefix here it is the first argument.

    Formats are those of the template's documentation: 1 number, 2 name, 3 both, 5 prefix and number, 6 prefix and name.
    """

    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        texts = [arguments.at(number) for number in range(1, 5)]
        before, (name, number, form) = (prefix, texts[:3]) if prefix else (texts[0], texts[1:])
        shown = _FORMATS.get(form, _PREFIX + _NAME + _NUMBER)
        parts = [before] if shown & _PREFIX else []
        parts += [name] if shown & _NAME else []
        if shown & _NUMBER and number:
            parts.append(number if shown == _NUMBER else f"({number})")
        return " ".join(part for part in parts if part)

    return render


def ship_class(raw: list[str]) -> str:
    """{{sclass|Iowa|battleship}} → Iowa-class battleship; formats as in its documentation (0: no type, 4: a noun)."""
    arguments = parse(raw)
    name, kind, form = arguments.at(1), arguments.at(2), arguments.at(3)
    if not name:
        return ""
    if form == "5":
        return name
    if form == "4":
        return f"{name} class"
    return f"{name}-class" if form == "0" or not kind else f"{name}-class {kind}"
