"""Templates that wrap, spell out or stand for text: what a reader of the page sees of them."""

from collections.abc import Callable
from functools import partial

from preprocessing.wikitext.names import phrases
from preprocessing.wikitext.templates.arguments import parse

Render = Callable[[list[str]], str]


def argument(number: int) -> Render:
    """Renders as this positional argument."""
    return lambda raw: parse(raw).at(number)


def _last(raw: list[str]) -> str:
    positional = parse(raw).positional
    return positional[-1] if positional else ""


def _around(before: str, after: str = "") -> Render:
    """Renders as the first argument between two fixed texts; "" without an argument."""

    def render(raw: list[str]) -> str:
        text = parse(raw).at(1)
        return f"{before}{text}{after}" if text else ""

    return render


def _joined(separator: str) -> Render:
    return lambda raw: separator.join(text for text in parse(raw).positional if text)


def _constant(text: str) -> Render:
    return lambda raw: text


def _nihongo(raw: list[str]) -> str:
    """{{nihongo|English|kanji|romaji}} → English (kanji, romaji)."""
    arguments = parse(raw)
    inside = ", ".join(text for text in (arguments.at(2), arguments.at(3)) if text)
    return f"{arguments.at(1)} ({inside})".strip() if inside else arguments.at(1)


def _chinese(raw: list[str]) -> str:
    arguments = parse(raw)
    return arguments.get("t", "s", "c", "p", "w") or arguments.at(1)


def _interlanguage(raw: list[str]) -> str:
    """{{ill|Title|de|Titel|lt=label}} and {{lien|trad=Title|fr=Titre}}."""
    arguments = parse(raw)
    return arguments.get("lt", "texte") or arguments.at(1) or arguments.get("fr", "trad")


def _quotation(raw: list[str]) -> str:
    arguments = parse(raw)
    text = arguments.get("text", "quote") or arguments.at(1)
    return f"\n\n{text}\n\n" if text else ""


def _items(raw: list[str]) -> str:
    return "".join(f"\n*{text}" for text in parse(raw).positional if text) + "\n"


def _ship(prefix: str, raw: list[str]) -> str:
    """{{USS|Enterprise|CVN-65}} → USS Enterprise: the hull number is not always shown, the name is."""
    return f"{prefix} {parse(raw).at(1)}".strip()


_GROUPS: list[tuple[str, Render]] = [
    (
        """
        nowrap, nobr, no wrap, nobreak, nowr, avoid wrap, small, smaller, big, bigger, large, larger, nobold,
        noitalic, no italic, em, strong, italic, bold, kbd, mono, code, tt, var, mvar, math, samp, key press,
        keypress, key, abbr, tooltip, hover title, sic, smallcaps, sc, smallcaps all, unicode, angbr, angle
        bracket, polytonic, hebrew, arabic, nastaliq, visible anchor, vanchor, flag, flagu, flagcountry, flag
        country, underline, strikethrough, center, centre, not a typo, notatypo, typo, as written, proper name, nq,
        sub, юникод, snamei, isbn text, j
        """,
        argument(1),
    ),
    ("lang, langx, langue, rtl-lang, wikt-lang, color, font color, colored text, audio, native name", argument(2)),
    ("resize, font, script, transl, transliteration, tlit, sort, hs", _last),
    (
        "interlanguage link, interlanguage link multi, ill, illm, ill-wd, lien, нп, нп2, нп3, нп5, не переведено",
        _interlanguage,
    ),
    ("не переведено 2, не переведено 3, не переведено 5", _interlanguage),
    ("linktext, chem, chem2, ce", _joined("")),
    ("sortname, bibleverse, bibleref, bibleref2, bibleverse-lb, bv, quran-usc", _joined(" ")),
    ("hlist", _joined(", ")),
    ("ubl, unbulleted list, plainlist, plain list, flatlist, bulleted list, ordered list, vunblist", _items),
    ("nihongo, nihongo2, nihongo3", _nihongo),
    ("zh, lang-zh", _chinese),
    (
        """
        quote, blockquote, bquote, quotation, cquote, rquote, centered pull quote, pull quote, verse
        translation, poemquote, poem quote, zitat, cita, citazione, citation bloc, цитата
        """,
        _quotation,
    ),
    ("lit, literally, literal translation", _around("lit. '", "'")),
    ("gloss, translation, trans", _around("'", "'")),
    ('"', _around("“", "”")),
    ("us patent", _around("U.S. Patent ")),
    ("isbn", _around("ISBN ")),
    ("vol., volume", _around("Vol. ")),
    ("no., numero", _around("No. ")),
    ("sup", _around("^")),
    ("!, pipe", _constant("|")),
    ("=", _constant("=")),
    ("·, dot, middot, bull, bullet, •, sdot", _constant(" · ")),
    ("snd, spnd, sndash, spndash, spaced ndash, spaced en dash, snds, dash", _constant(" – ")),
    ("ndash, en dash", _constant("–")),
    ("mdash, em dash, mdashb", _constant("—")),
    ("spaced mdash, smdash, spaced em dash", _constant(" — ")),
    ("nbsp, space, spaces, thinsp, thin space, hair space, hairsp, sp, nnbsp", _constant(" ")),
    ("'", _constant("'")),
    ("'s", _constant("'s")),
    ("' \"", _constant("'\"")),
    ("\" '", _constant("\"'")),
    ("okina, ʻokina, hamza", _constant("ʻ")),
    ("ellipsis, ..., …", _constant("…")),
    ("minus, −", _constant("−")),
    ("times, ×", _constant("×")),
    ("±", _constant("±")),
]

RENDERERS: dict[str, Render] = {name: render for names, render in _GROUPS for name in phrases(names)}
RENDERERS.update(
    {
        prefix.lower(): partial(_ship, prefix)
        for prefix in phrases("USS, HMS, HMAS, HMCS, HMNZS, SMS, SS, MS, MV, RMS, USCGC, INS, ORP")
    }
)
