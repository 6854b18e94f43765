"""Marks of language conversion, `-{zh-hans:计算机; zh-hant:電腦}-`: what a reader of one variant sees.

Resolved before the page is read, since what is chosen may hold any markup. After MediaWiki's LanguageConverter: flags
stand before a bar, rules are parted by semicolons, and a variant without a rule of its own is shown that of a relative.
"""

import re

from preprocessing.wikitext.markup_tokens import OPAQUE_TAGS
from preprocessing.wikitext.names import words
from preprocessing.wikitext.scanner import Scanner

# Of each variant, those whose text serves in its place, nearest first (ZhConverter, SrConverter and others).
_FALLBACKS = {
    "zh": "zh-hans zh-cn zh-sg zh-my zh zh-hant zh-tw zh-hk zh-mo",
    "zh-hans": "zh-cn zh-sg zh-my zh",
    "zh-hant": "zh-tw zh-hk zh-mo zh",
    "zh-cn": "zh-hans zh-sg zh-my zh",
    "zh-sg": "zh-my zh-hans zh-cn zh",
    "zh-my": "zh-sg zh-hans zh-cn zh",
    "zh-tw": "zh-hant zh-hk zh-mo zh",
    "zh-hk": "zh-mo zh-hant zh-tw zh",
    "zh-mo": "zh-hk zh-hant zh-tw zh",
    "sr": "sr-ec sr-cyrl sr sr-el sr-latn",
    "sr-ec": "sr-cyrl sr",
    "sr-cyrl": "sr-ec sr",
    "sr-el": "sr-latn sr",
    "sr-latn": "sr-el sr",
    "kk": "kk-cyrl kk-kz kk-latn kk-tr kk-arab kk-cn",
    "kk-cyrl": "kk-kz kk",
    "kk-latn": "kk-tr kk",
    "kk-arab": "kk-cn kk",
    "ku": "ku-latn ku-arab",
    "uz": "uz-latn uz-cyrl",
    "crh": "crh-latn crh-cyrl",
    "gan": "gan-hans gan-hant",
    "wuu": "wuu-hans wuu-hant",
    "tg": "tg-cyrl tg-latn",
    "sh": "sh-latn sh-cyrl",
    "iu": "ike-cans ike-latn",
    "shi": "shi-latn shi-tfng",
    "tly": "tly-latn tly-cyrl",
    "ban": "ban-bali",
}
_VARIANTS = words(" ".join((*_FALLBACKS, *_FALLBACKS.values(), "kk-tr kk-cn kk-kz")))

_VARIANT = "zh-han[st]-[a-z]{2}|" + "|".join(sorted(_VARIANTS, key=lambda code: (-len(code), code)))
_LONG_CODE = re.compile(r"zh-han[st]-(?=[a-z]{2}\Z)")  # as BCP 47 writes it
_RULES_PART = re.compile(rf";(?=[^;:=]*+=>\s*(?:{_VARIANT})\s*:|\s*(?:{_VARIANT})\s*:|\s*\Z)", re.IGNORECASE)
_RULE = re.compile(rf"(?:(.*?)=>)?\s*({_VARIANT})\s*:(.*)", re.IGNORECASE | re.DOTALL)
_FLAGS = re.compile(r"\s*(?:[A-Za-z+-][A-Za-z-]*+\s*;?\s*)*+")
_HIDING_FLAGS = frozenset("HT-")

_MARK = re.compile(
    r"-\{(?!\{(?!\{))|(\}-)|(\{\{)|(\}\})"
    rf"|<({'|'.join(sorted(OPAQUE_TAGS))})(?:\s[^<>]*+)?+>",
    re.IGNORECASE,
)
_DEPTH_LIMIT = 10  # that of MediaWiki


def resolve_variants(text: str, language: str = "") -> str:
    """The text with every mark replaced by what `language` shows of it, a code of a language or variant in lower case.

    Without a variant, the text of the language's first one is shown; marks that only set rules or a title show nothing.
    In a language without variants the marks are text, as in MediaWiki; without a language, all are resolved.
    """
    if (language and language not in _VARIANTS) or "-{" not in text or "}-" not in text:
        return text
    scanner = Scanner(text)
    opened: list[_Opened] = []
    shown: list[str] = []  # of the page, or of the innermost open mark
    position = done = 0
    while (match := _MARK.search(text, position)) is not None:
        position = match.end()
        kind = match.lastindex
        if kind == 4:
            if not match.group().endswith("/>"):
                position = max(position, scanner.closing_tag(match.group(4).lower(), position)[1])
        elif kind is None:
            if len(opened) < _DEPTH_LIMIT:
                shown.append(text[done : match.start()])
                done = position
                opened.append(_Opened(shown))
                shown = []
        elif opened:
            if kind == 2:
                opened[-1].templates += 1
            elif kind == 3 and opened[-1].templates:
                opened[-1].templates -= 1
            elif kind == 1:
                shown.append(text[done : match.start()])
                done = position
                content = "".join(shown)
                shown = opened.pop().before
                shown.append(_shown(content, language))
            else:
                position -= 1  # "}}-": the second brace may end the mark
    shown.append(text[done:])
    for mark in reversed(opened):  # marks that are never closed are text
        shown = [*mark.before, "-{", *shown]
    return "".join(shown)


class _Opened:
    """An open mark: the pieces before it, and the templates that are open inside."""

    __slots__ = ("before", "templates")

    def __init__(self, before: list[str]) -> None:
        self.before = before
        self.templates = 0


def _shown(content: str, language: str) -> str:
    flags, rule = _flags_and_rule(content)
    if "R" in flags:
        return rule
    if "N" in flags:
        return ""  # the name of a variant, which is not part of the page
    if flags & _HIDING_FLAGS:
        return ""
    texts = _texts(rule)
    if not texts:
        return rule
    return _chosen(texts, language)


def _flags_and_rule(content: str) -> tuple[frozenset[str], str]:
    before, bar, rule = content.partition("|")
    if bar and (match := _FLAGS.match(before)) is not None and match.end() == len(before):
        flags = (flag.strip() for flag in before.split(";"))
        return frozenset(flag.upper() if len(flag) == 1 else flag.lower() for flag in flags), rule
    return frozenset(), content


def _texts(rule: str) -> dict[str, str]:
    """Of each variant its text, in order; empty where the content is no list of rules."""
    texts: dict[str, str] = {}
    for part in _RULES_PART.split(rule):
        match = _RULE.fullmatch(part)
        if match is None:
            if part.strip():
                return {}
            continue
        variant, text = _LONG_CODE.sub("zh-", match.group(2).lower()), match.group(3).strip()
        if text:
            texts.setdefault(variant, text)
    return texts


def _chosen(texts: dict[str, str], language: str) -> str:
    language = language or next(iter(texts)).partition("-")[0]
    itself = language if "-" in language else ""  # of a language with variants the first one is shown
    for variant in (itself, *_FALLBACKS.get(language, "").split(), *texts):
        if variant in texts:
            return texts[variant]
    return ""
