"""What the word before a full stop is in a language: an abbreviation, an initial, an ordinal, an item's number."""

import re

from preprocessing.documents.sentences.table import SentenceTable

# Longer than any word that decides; in languages without spaces the "word" is a sentence.
WORD_CHARACTERS = 24
# So many last characters of a sentence, with its space, tell most often that its last word is a plain one.
TAIL_CHARACTERS = 5
# Words whose kind is remembered; forgotten together, so that memory is bounded.
_REMEMBERED = 50_000

# Kinds; a word may be of several, a plain one is of none.
FULL_STOP = 1
NEVER_ENDS = 2
BEFORE_NUMBERS = 4
BEFORE_NAMES = 8
INITIAL = 16
ACRONYM = 32
ORDINAL = 64
PART_OF_DATE = 128
ITEM_MARKER = 256
PART_OF_ABBREVIATION = 512
QUOTATION = 1024

_LONG = 7  # longer than numerals, items and initials, with the full stop
CLOSINGS = "\"'«»“”‘’‹›」』》〉）)]}"
_BEFORE_WORDS = "\"'«»„“”‚‘’‹›「『([{¿¡—–-/•◦▪●■‣⁃·"
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FIRST_WORD = re.compile(r"[^\s.,;:!?()\[\]\"«»“”„।؟،]+")
_ITEM_MARKER = re.compile(r"(?:\d{1,4}|[IVXLCDM]{1,6}|[ivx]{1,5}|[A-Za-zА-Яа-яΑ-Ωα-ω])\.")
_ORDINAL = re.compile(r"(?:\d+\.?[-–/])?\d{1,3}\.|(?:[IVX]+\.?[-–/])?[IVXLCDM]+\.")
_DAY = re.compile(r"\d{1,2}\.")
_YEAR_OR_DAY = re.compile(r"\d{1,2}\.|\d{4}\.")
_INITIAL = re.compile(r"[^\W\d_](?:\.?-[^\W\d_])?\.|[^\W\d_]{2}\.-[^\W\d_]\.")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,4}\.){2,}|(?:[^\W\d_]{1,4}\.)+-[^\W\d_]{1,4}\.")
# Of a text without spaces, what may be an abbreviation or an initial.
_LATIN = re.compile(r"[A-Za-z][A-Za-z.]*\.\s*$")


class Words:
    """The kinds of words in one language. What it remembers changes no answer."""

    def __init__(self, table: SentenceTable) -> None:
        self._table = table
        self._quotation = QUOTATION if table.after_quotations or table.speech_verbs or table.joined_openings else 0
        self._kinds: dict[str, int] = {}
        self.plain_tails: dict[str, bool] = {}
        """What `is_plain_tail` answered; looked up first, since most sentences end there."""
        self._abbreviations = table.never_end | table.before_numbers | table.before_names
        self._beginnings = {
            word[: end + 1] for word in self._abbreviations for end, mark in enumerate(word[:-1]) if mark == "."
        }
        self._last_parts = {word[:-1].rpartition(".")[2] + "." for word in self._abbreviations if "." in word[:-1]}
        self._suffixes = tuple(word for word in self._abbreviations if word[0] == "-")
        self._parts = {word.lower() for word in self._abbreviations | self._beginnings | self._last_parts}
        self._ends_of_parts = {word[start:] for word in self._parts for start in range(len(word))}

    def last(self, sentence: str) -> int:
        """The kinds of the sentence's last word; white space may follow it."""
        word = sentence[sentence.rfind(" ", 0, -1) + 1 :]
        if self._table.unspaced and (latin := _LATIN.search(word, max(0, len(word) - WORD_CHARACTERS))):
            word = latin[0]
        kind = self._kinds.get(word)
        if kind is None:
            if word.isspace():
                word = sentence.rstrip().rpartition(" ")[2]
            if len(word) > WORD_CHARACTERS:
                return self._quotation if word.rstrip()[-1:] in CLOSINGS else 0
            if len(self._kinds) >= _REMEMBERED:
                self._kinds.clear()
            kind = self._kinds[word] = self._kind(_DIRECTIONS.sub("", word).strip())
        return kind

    def is_plain_tail(self, tail: str) -> bool:
        """Whether every word that ends in these last `TAIL_CHARACTERS` of a sentence is a plain one."""
        if len(self.plain_tails) >= _REMEMBERED:
            self.plain_tails.clear()
        word = tail.rstrip()
        if word[-1:] != ".":
            plain = not word[-2:-1].isspace() and not ((self._quotation and word[-1:] in CLOSINGS) or not word)
        else:
            start, _, word = word.rpartition(" ")
            plain = word[:-1].isalpha() and word.islower()
            if plain:
                # A long word of small letters is (part of) an abbreviation that is listed, or none.
                is_long = len(word) > _LONG and not self._suffixes and not self._table.prefixes
                plain = word not in self._parts if is_long else self._kind(word) == 0
            if plain and not start:  # it may be longer than the tail shows
                plain = word not in self._ends_of_parts
        self.plain_tails[tail] = plain
        return plain

    def spelled_apart(self, sentence: str, following: str) -> int:
        """The kinds of "z. B.", of which the engine shows a part: of both together, or with the part that follows."""
        words = _DIRECTIONS.sub("", sentence[-WORD_CHARACTERS:]).lower().split()[-3:]
        found = FIRST_WORD.match(following)
        next_part = found[0].lower() + "." if found and following[found.end() : found.end() + 1] == "." else ""
        kind = 0
        for count in range(1, len(words) + 1):
            together = "".join(words[-count:]).lstrip(_BEFORE_WORDS)
            if count > 1:
                kind |= self._listed(together)
            whole = together + next_part
            if next_part and (whole in self._beginnings or self._listed(whole)):
                return NEVER_ENDS
        return kind and kind | FULL_STOP

    def counts_something(self, sentence: str) -> bool:
        """Whether the number at the end is no ordinal, by the abbreviation before it: "S. 5."."""
        words = sentence[-WORD_CHARACTERS:].lower().split()
        return len(words) > 1 and words[-2].lstrip(_BEFORE_WORDS) in self._table.before_numbers

    def _kind(self, word: str) -> int:
        if word[-1:] in CLOSINGS:
            return self._quotation
        bare = word.lstrip(_BEFORE_WORDS)
        if not bare.endswith(".") or bare.endswith(".."):
            return 0
        table = self._table
        kind = self._listed(bare.lower()) | self._listed(bare)
        short = bare[max(bare.rfind("'"), bare.rfind("’")) + 1 :] if table.elision else bare
        if short != bare:
            kind |= self._listed(short.lower()) | self._listed(short)
        for suffix in self._suffixes:
            if bare.lower().endswith(suffix[1:]):
                kind |= self._listed(suffix)
        if table.prefixes and bare[0] in table.prefixes:
            kind |= self._listed(bare[1:])
        if table.initials and _is_capital(short[0]) and _INITIAL.fullmatch(short):
            kind |= INITIAL
        if table.initials and _ACRONYM.fullmatch(short) and not _ends_in_a_word(short):
            kind |= ACRONYM
        if table.ordinals and _ORDINAL.fullmatch(bare):
            kind |= ORDINAL
        if (table.spaced_dates and _DAY.fullmatch(bare)) or (table.years_first and _YEAR_OR_DAY.fullmatch(bare)):
            kind |= PART_OF_DATE
        if _ITEM_MARKER.fullmatch(bare):
            kind |= ITEM_MARKER
        if bare.lower() in self._beginnings or bare.lower() in self._last_parts:
            kind |= PART_OF_ABBREVIATION
        return kind and kind | FULL_STOP

    def _listed(self, abbreviation: str) -> int:
        table = self._table
        return (
            NEVER_ENDS * (abbreviation in table.never_end)
            | BEFORE_NUMBERS * (abbreviation in table.before_numbers)
            | BEFORE_NAMES * (abbreviation in table.before_names)
        )


def _ends_in_a_word(acronym: str) -> bool:
    """Whether what looks like one lacks a space: "plan B.then."; `is_plain_tail` could not tell them apart."""
    last = re.split("[.-]", acronym)[-2]
    return len(last) > 2 and last.islower()


def _is_capital(letter: str) -> bool:
    """Or a letter of the scripts from Hebrew to Devanagari, which write initials and have no capitals."""
    return letter.isupper() or "\u05d0" <= letter <= "\u097f"
