"""How well decoded text reads as a language: what it would cost to write it down, and how much of it is in place.

A wrong code page turns letters into letters that the language has not, capitals inside words, quotation marks between
letters, box drawing and control codes. Each character above ASCII costs minus the logarithm of its probability, from
the language's letters in the order of their frequency (`[writing]` in its table) and from its two neighbours, so that
the bytes in which two code pages differ decide between them.
"""

import functools
import math
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto

from preprocessing.languages import section

_ABOVE_ASCII = re.compile(r"[^\x00-\x7f]")
_ASCII_COST = 3.5
_FOREIGN, _OTHER_SCRIPT, _MISPLACED, _WRONG = 9.5, 13.0, 11.0, 14.0
_CAPITAL, _ALL_CAPITALS, _UNUSUAL, _TURNED_APOSTROPHE, _CASE_FAULT = 2.5, 3.5, 4.0, 5.0, 8.0
_SPACE_INSIDE = 1.5  # it stands between words, but a page of DOS has á there, which stands inside them
_QUOTES = frozenset("“”„‘’‚«»‹›")
_SIGNS = frozenset("€£¥§°©®™½¼¾²³¹±×÷·•†‡µªº‰¶←↑→↓")
_SIGNS_BEFORE_WORDS = frozenset("©®€£¥§•·†‡µ←→")
_STOPS = frozenset("…¡¿–—―·‑‒")
_OPENING_STOPS = frozenset("¡¿")
_OPENING_QUOTES = frozenset("„‚")
_SIGNS_AFTER_NUMBERS = frozenset("²³¹ªº‰")
# Latin letters that are a word in some language; any other seldom stands alone.
_WORDS_OF_ONE = frozenset("àèéêóòôåöı")
_EAST_ASIAN_STOPS = frozenset(
    "\u3000、。・〃々〆〇「」『』【】〈〉《》〔〕〜～！＂＃％＆（），．／：；？＝＋－［］｛｝｜＠￥"
)
# In Hebrew these forms end a word: text that was stored as it looks, from left to right, begins words with them.
_FINAL_FORMS = frozenset("ךםןףץ")
_EAST_ASIAN = frozenset(("Han", "Hiragana", "Katakana", "Hangul"))
_UNCHANGED_BY_CAPITALS = frozenset("ßıŉĸ")
_COMMON_ROWS = (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("shift_jis", 0x88, 0x98), ("euc_kr", 0xB0, 0xC8))
_INVISIBLE = {"\u200c": "joiner", "\u200d": "joiner", "\u200e": "mark", "\u200f": "mark", "\xad": "hyphen"}


class _Kind(Enum):
    LETTER = auto()
    CAPITAL = auto()
    UNCASED = auto()
    QUOTE = auto()
    STOP = auto()
    SIGN = auto()
    SPACE = auto()
    PLAIN = auto()


_LETTERS = (_Kind.LETTER, _Kind.CAPITAL, _Kind.UNCASED)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text is like, read as a language. `cost` is in nats, `characters` and `plausible` count above ASCII."""

    cost: float
    characters: int
    plausible: int

    @property
    def share(self) -> float:
        """How many of the characters above ASCII the language has, and has in such places."""
        return self.plausible / self.characters if self.characters else 0.0


def read_as(text: str, language: str) -> Reading:
    """Judges `text`, which is best a list of different words: what is repeated weighs as often as it stands there."""
    known = alphabet(language)
    cost, characters, plausible, turned = 0.0, 0, 0, 0
    end = len(text) - 1
    for match in _ABOVE_ASCII.finditer(text):
        place = match.start()
        before = text[place - 1] if place else " "
        after = text[place + 1] if place < end else " "
        price, fits = known.judge(match[0], before, after)
        cost += price
        characters += 1
        plausible += fits
        if match[0] in _FINAL_FORMS:
            turned += -1 if fits else 1
    if turned > 0:  # more final forms begin words than end them
        plausible = 0
    return Reading(cost + _ASCII_COST * (len(text) - characters), characters, plausible)


@functools.lru_cache(maxsize=64)
def alphabet(language: str) -> "Alphabet":
    """The letters of a language; of one whose table has none, those of Western Europe."""
    writing = section(language, "writing")
    if "letters" not in writing:
        writing = section("en", "writing")
    return Alphabet("".join(writing["letters"].split()), tuple(writing["scripts"]), writing.get("letters_share", 0.95))


class Alphabet:
    """Prices of characters in one language."""

    def __init__(self, letters: str, scripts: tuple[str, ...], share: float) -> None:
        self.scripts = frozenset(script.upper() for script in scripts)
        self.east_asian = not _EAST_ASIAN.isdisjoint(scripts)
        # A word of Cyrillic or Hebrew letters has no Latin ones.
        self._unmixed = "Latin" not in scripts and not self.east_asian
        # Letters of an alphabet become rare exponentially, syllables and ideographs by Zipf's law.
        ranks = range(len(letters))
        weights = [1 / (rank + 8) if self.east_asian else math.exp(-4.5 * rank / len(letters)) for rank in ranks]
        total = sum(weights) / (0.6 if self.east_asian else share)
        self._costs = {letter: -math.log(weight / total) for letter, weight in zip(letters, weights, strict=True)}
        self._kinds: dict[str, tuple[_Kind, float, bool]] = {}

    def judge(self, character: str, before: str, after: str) -> tuple[float, bool]:
        """(cost in nats, whether it is in place) of a character above ASCII between its neighbours."""
        kind, price, fits = self._kind(character)
        if self._unmixed and kind in _LETTERS and (_is_latin(before) or _is_latin(after)):
            return price + _CASE_FAULT, False
        if kind is _Kind.LETTER:
            if before.isupper() and after.isupper() and character not in _UNCHANGED_BY_CAPITALS:
                return price + _CASE_FAULT, False
            if after.isupper() and not before.isalpha() and character not in _UNCHANGED_BY_CAPITALS:
                return price + _CASE_FAULT, False
            if before.isdigit() or after.isdigit():
                return price + _CAPITAL, fits
            return price + self._alone(character, before, after), fits
        if kind is _Kind.CAPITAL:
            if before.islower():
                return price + _CASE_FAULT, False
            price += self._alone(character.lower(), before, after)
            return price + (_ALL_CAPITALS if before.isupper() or after.isupper() else _CAPITAL), fits
        if kind is _Kind.UNCASED:
            if "\u0300" <= character <= "\u036f" and not _is_vowel(before):
                return price + _CASE_FAULT, False
            if character in _FINAL_FORMS and "\u05d0" <= after <= "\u05ea":
                return price + _CASE_FAULT, False
            return price, fits
        inside = before.isalpha() and after.isalpha()
        if kind is _Kind.SPACE:
            return price + (_SPACE_INSIDE if inside else 0), fits
        if (kind is _Kind.QUOTE and inside and character not in "’‘") or (kind is _Kind.SIGN and inside):
            return _MISPLACED, False
        if character in _OPENING_STOPS and (before.isalnum() or after.isspace()):
            return _MISPLACED, False
        if character == "‘" and inside:  # Hawai‘i, M‘Culloch
            return price + _TURNED_APOSTROPHE, fits
        if character == "…" and after.isalpha() and not before.isalpha():
            return price + _CAPITAL, fits
        if kind is _Kind.QUOTE and before.isspace() and after.isspace():
            return price + _UNUSUAL, fits
        if character in _OPENING_QUOTES and before.isalnum():
            return _MISPLACED, False
        if character in _SIGNS_AFTER_NUMBERS and not before.isdigit():
            return price + _UNUSUAL, fits
        if character == "¥" and before.isspace() and after.isspace():
            return price + _UNUSUAL, fits
        if after.isalpha() and not before.isalpha() and (kind is _Kind.SIGN or character == "’"):
            return price + _UNUSUAL, kind is not _Kind.SIGN or character in _SIGNS_BEFORE_WORDS
        return price, fits

    def _alone(self, letter: str, before: str, after: str) -> float:
        """What it costs more that a letter of Latin is a word by itself, where no language has that word."""
        if before.isalnum() or after.isalnum() or letter in _WORDS_OF_ONE or not letter.isalpha() or letter > "ɏ":
            return 0.0
        return _UNUSUAL

    def _kind(self, character: str) -> tuple[_Kind, float, bool]:
        known = self._kinds.get(character)
        if known is None:
            known = self._kinds[character] = self._classify(character)
        return known

    def _classify(self, character: str) -> tuple[_Kind, float, bool]:
        lowered = character.lower() if len(character.lower()) == 1 else "i" if character == "İ" else character
        kind = _Kind.UNCASED
        if lowered != character:
            kind = _Kind.CAPITAL
        elif character.upper() != character:
            kind = _Kind.LETTER
        if character == "İ":
            return _Kind.CAPITAL, self._costs.get("ı", _FOREIGN), "ı" in self._costs
        if lowered in self._costs:
            return kind, self._costs[lowered], True
        for characters, found, price in (
            (_QUOTES, _Kind.QUOTE, 4.0),
            (_STOPS, _Kind.STOP, 4.5),
            (_SIGNS, _Kind.SIGN, 6.0),
        ):
            if character in characters:
                return found, price, True
        if character == "\xa0":
            return _Kind.SPACE, 4.5, True
        if character in _EAST_ASIAN_STOPS:
            return (_Kind.PLAIN, 4.0, True) if self.east_asian else (_Kind.PLAIN, _OTHER_SCRIPT, False)
        if character in _INVISIBLE:
            return _Kind.PLAIN, 6.0 if _INVISIBLE[character] != "hyphen" else 8.0, True
        return self._unlisted(character, kind)

    def _unlisted(self, character: str, kind: _Kind) -> tuple[_Kind, float, bool]:
        category = unicodedata.category(character)
        if category[0] not in "LMNP":
            return _Kind.PLAIN, _WRONG if category[0] == "C" else _MISPLACED + 1, False
        script = script_of(character)
        if script in self.scripts:
            if self.east_asian and script in ("HAN", "HANGUL"):
                common = _is_common(character)
                return _Kind.PLAIN, 8.8 if common else _FOREIGN + 1.5, common
            # Points and punctuation of the script itself; a letter that the language does not use is none of its own.
            own = category[0] != "L" or self.east_asian
            return kind if category[0] == "L" else _Kind.PLAIN, 6.5 if own else _FOREIGN, own
        if self.east_asian and script in ("FULLWIDTH", "IDEOGRAPHIC", "CJK", "KATAKANA-HIRAGANA"):
            return _Kind.PLAIN, 7.0, True
        return kind if category[0] == "L" else _Kind.PLAIN, _OTHER_SCRIPT, False


def _is_vowel(character: str) -> bool:
    return unicodedata.normalize("NFD", character)[0] in "aeiouyAEIOUY"


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalpha()


@functools.lru_cache(maxsize=1 << 16)
def script_of(character: str) -> str:
    """The script in capitals, from the character's name: LATIN, CYRILLIC, HAN …; empty for what has no name."""
    first = unicodedata.name(character, "").partition(" ")[0]
    return "HAN" if first == "CJK" and unicodedata.category(character) == "Lo" else first


@functools.lru_cache(maxsize=1 << 16)
def _is_common(character: str) -> bool:
    """Whether one of the old national sets has it among its common characters (their first levels, or KS X 1001)."""
    for encoding, first, last in _COMMON_ROWS:
        try:
            encoded = character.encode(encoding)
        except UnicodeEncodeError:
            continue
        if len(encoded) == 2 and first <= encoded[0] <= last:
            return True
    return False
