"""Templates whose text belongs to the sentence around them; every other template is dropped and counted.

A renderer takes the arguments as they stand between the pipes, already rendered, and returns text. Numbers are in
`quantities.py`, dates in `dates.py`; the table here joins them with the templates that wrap or spell out text.
"""

from collections.abc import Callable
from functools import partial

from preprocessing.wikitext import dates, quantities
from preprocessing.wikitext.arguments import Arguments, parse

Render = Callable[[list[str]], str]
_CACHE_LIMIT = 1 << 16


def find(name: str) -> Render | None:
    """The renderer of a template by its name as written, or None when the template is dropped."""
    try:
        return _cache[name]
    except KeyError:
        pass
    render = _find(name)
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    if len(name) < 100:
        _cache[name] = render
    return render


def canonical(name: str) -> str:
    """A template's name in one spelling: lower case, one space between words, no namespace."""
    words = " ".join(name.replace("_", " ").lower().split())
    return words.removeprefix("template:")


def _find(name: str) -> Render | None:
    key = canonical(name)
    render = RENDERERS.get(key)
    if render is not None:
        return render
    function, colon, argument = name.partition(":")
    if colon:
        apply = _FUNCTIONS.get(function.strip().lower())
        if apply is not None:
            return lambda arguments: apply(argument.strip())
    # {{lang-ru|text}}, {{lang-zh-hans|text}}
    if key.startswith("lang-"):
        return _argument(1)
    return None


def _argument(*numbers: int) -> Render:
    """Renders as the first of these positional arguments that is not empty."""

    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        return next((text for number in numbers if (text := arguments.at(number))), "")

    return render


def _named(*keys: str, fallback: int) -> Render:
    def render(raw: list[str]) -> str:
        arguments = parse(raw)
        return next((text for key in keys if (text := arguments.get(key))), arguments.at(fallback))

    return render


def _around(before: str, after: str = "") -> Render:
    """Renders as the first argument between two fixed texts; "" without an argument."""

    def render(raw: list[str]) -> str:
        text = parse(raw).at(1)
        return f"{before}{text}{after}" if text else ""

    return render


def _joined(separator: str) -> Render:
    def render(raw: list[str]) -> str:
        return separator.join(text for text in parse(raw).positional if text)

    return render


def _constant(text: str) -> Render:
    return lambda raw: text


def _last(raw: list[str]) -> str:
    positional = parse(raw).positional
    return positional[-1] if positional else ""


def _nihongo(raw: list[str]) -> str:
    arguments = parse(raw)
    inside = ", ".join(text for text in (arguments.at(2), arguments.at(3)) if text)
    return f"{arguments.at(1)} ({inside})".strip() if inside else arguments.at(1)


def _chinese(raw: list[str]) -> str:
    arguments = parse(raw)
    keys = ("t", "s", "c", "p", "w")
    return next((text for key in keys if (text := arguments.get(key))), arguments.at(1))


def _ship(prefix: str, raw: list[str]) -> str:
    # {{USS|Enterprise|CVN-65}}; a third argument says which parts are shown, and the name is always among them.
    arguments = parse(raw)
    return f"{prefix} {arguments.at(1)}".strip()


def _quotation(raw: list[str]) -> str:
    arguments: Arguments = parse(raw)
    text = arguments.get("text") or arguments.get("quote") or arguments.at(1)
    return f"\n\n{text}\n\n" if text else ""


def _paragraphs(raw: list[str]) -> str:
    return "".join(f"\n*{text}" for text in parse(raw).positional if text)


_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "formatnum": str,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}

_GROUPS: list[tuple[str, Render]] = [
    # text in a wrapping
    (
        "nowrap,nobr,no wrap,nobreak,nowr,avoid wrap,small,smaller,big,bigger,large,larger,nobold,noitalic,normal,"
        "em,strong,strongbad,italic,bold,b,i,kbd,mono,code,codett,tt,var,mvar,math,samp,key press,keypress,key,abbr,"
        "abbrv,tooltip,hover title,sic,smallcaps,sc,sc2,smallcaps all,unicode,ipa link,angbr,angle bracket,polytonic,"
        "hebrew,arabic,nastaliq,rtl-lang-1,visible anchor,vanchor,va,flag,flagu,flagcountry,flag country,flagdeco text,"
        "interlanguage link,ill,ill-wd,interlanguage link multi,illm,no italics,noitalics,nobold,underline,u,strikethrough,"
        "center,centre,ipa-ref,native phrase,gloss1,sup2,notatypo,typo,as written,not a typo,proper name,wikt-link,"
        "юни,нп,нп2,нп3,нп5,не переведено,не переведено 2,не переведено 3,не переведено 5,nobr2,lien,"
        "enS,frS,deS,laS,itS,esS,ruS,j,nts2,title-case,linktext1,wp",
        _argument(1),
    ),
    ("lang,langx,langue,lang2,rtl-lang,lang-x,wikt-lang,wt,color,font color,fontcolor,colored text,audio,audio2", _argument(2)),
    ("resize,font,script,transl,transliteration,tlit,sort,hs,wrap,size,rotate", _last),
    ("native name", _argument(2)),
    ("linktext,linktext2,wiktlink", _joined("")),
    ("chem,chem2,ce,chemf", _joined("")),
    ("sortname,human name,bibleverse,bible,bibleref,bibleref2,bibleverse-lb,bv,quran-usc,qref,full name", _joined(" ")),
    ("nihongo,nihongo2,nihongo3,japanese", _nihongo),
    ("zh,lang-zh,zh-tsp,zh-cp,zh-c,zh-s,zh-t", _chinese),
    ("quote,blockquote,bquote,quotation,cquote,rquote,centered pull quote,pull quote,verse translation,poem quote,"
     "zitat,cita,citazione,citation bloc,début citation,цитата", _quotation),
    ("ubl,unbulleted list,plainlist,flatlist,bulleted list,ordered list,plain list,vunblist", _paragraphs),
    ("hlist", _joined(", ")),
    ("lit,literally,literal translation,lit.", _around("lit. '", "'")),
    ("gloss,translation,trans", _around("'", "'")),
    ("angbr ipa", _around("⟨", "⟩")),
    ("lang-en-short", _argument(1)),
    ('"', _around("“", "”")),
    ("us patent", _around("U.S. Patent ")),
    ("isbn", _around("ISBN ")),
    ("sic2", _named("1", fallback=1)),
    ("snamei,snamei2,taxon italics", _argument(1)),
    # signs
    ("!,pipe,!!", _constant("|")),
    ("=", _constant("=")),
    ("·,dot,middot,bull,bullet,•,sdot,dot separator,middot separator", _constant(" · ")),
    ("snd,spnd,sndash,spndash,spaced ndash,spaced en dash,snds,dash", _constant(" – ")),
    ("ndash,en dash,nsndns,endash", _constant("–")),
    ("mdash,em dash,mdashb,emdash,—", _constant("—")),
    ("spaced mdash,smdash,spaced em dash", _constant(" — ")),
    ("nbsp,space,spaces,thinsp,thin space,hair space,hairsp,zwsp,nnbsp,sp,pad,ns,shy space", _constant(" ")),
    ("'", _constant("'")),
    ("'s,'s2", _constant("'s")),
    ("' \",'\"", _constant("'\"")),
    ("\" ',\"'", _constant("\"'")),
    ("okina,ʻokina,hamza,ayin", _constant("ʻ")),
    ("ellipsis,...,…", _constant("…")),
    ("minus,−", _constant("−")),
    ("times,×", _constant("×")),
    ("plus or minus,±", _constant("±")),
    ("degree,deg", _constant("°")),
    ("vol.", _around("Vol. ")),
    ("no.,numero,nº", _around("No. ")),
    ("sup", _around("^")),
    ("sub", _argument(1)),
]

RENDERERS: dict[str, Render] = {
    name.lower(): render for names, render in _GROUPS for name in names.split(",")
}
RENDERERS.update({prefix.lower(): partial(_ship, prefix) for prefix in
                  ("USS", "HMS", "HMAS", "HMCS", "HMNZS", "SMS", "SS", "MS", "MV", "RMS", "USCGC", "INS", "ORP")})
RENDERERS.update(quantities.RENDERERS)
RENDERERS.update(dates.RENDERERS)
_cache: dict[str, Render | None] = {}
