"""What a general detector says of the sample, and whether it agrees with the decision for the language asked for."""

import codecs
from collections import Counter
from dataclasses import dataclass

import chardet

from preprocessing.languages import plain_language, section
from preprocessing.sources.encodings.plausibility import alphabet, script_of

_MOSTLY = 0.5
# By whose letters text is judged in a language that has no table.
_STANDS_FOR = {"CYRILLIC": "ru", "ARABIC": "ar", "GREEK": "el", "HEBREW": "he", "DEVANAGARI": "hi", "THAI": "th"}


@dataclass(frozen=True, slots=True)
class Opinion:
    """The detector's encoding, by Python's name, and language (ISO 639-1); None where it has none."""

    encoding: str | None
    language: str | None


def opinion(context: bytes) -> Opinion:
    """chardet's opinion of some lines of a file."""
    found = chardet.detect(context)
    name, language = found["encoding"], found["language"]
    try:
        encoding = codecs.lookup(name).name if name else None
    except LookupError:
        encoding = None
    return Opinion(encoding, language or None)


def agrees(second: Opinion, text: str, rival: str | None, language: str) -> bool:
    """Whether the opinion lets the sample be read as `text`; `rival` is the sample in the detector's encoding.

    It does where both give the same characters, and where the rival's are mostly out of place in the rival's own
    language where the two differ: the detector knows its languages better than their code pages.
    """
    if rival is None:
        return second.encoding is None and second.language in (None, plain_language(language))
    if text == rival:
        return True
    if len(text) == len(rival):
        differing = [place for place, pair in enumerate(zip(text, rival, strict=True)) if pair[0] != pair[1]]
    else:
        differing = [place for place, character in enumerate(rival) if not character.isascii()]
    known = alphabet(_judge_of(second.language or language, rival))
    in_place = 0
    for place in differing:
        before, after = rival[place - 1 : place] or " ", rival[place + 1 : place + 2] or " "
        in_place += not rival[place].isascii() and known.judge(rival[place], before, after)[1]
    return in_place < _MOSTLY * len(differing)


def _judge_of(language: str, text: str) -> str:
    if "letters" in section(language, "writing"):
        return language
    scripts = Counter(script_of(character) for character in text if character.isalpha() and not character.isascii())
    most = min(scripts, key=lambda script: (-scripts[script], script), default="")
    return _STANDS_FOR.get(most, language)
