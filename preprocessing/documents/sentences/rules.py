"""Whether a sentence goes on where the engine cut it: by the word before the cut, and by what follows.

The engine cuts too often rather than too seldom; each of its cuts is looked at once.
"""

import re
from itertools import pairwise

from preprocessing.documents.sentences import words
from preprocessing.documents.sentences.table import SentenceTable
from preprocessing.documents.sentences.words import FIRST_WORD, TAIL_CHARACTERS, WORD_CHARACTERS, Words

# A quotation that is open longer than this was never closed.
_OPEN_QUOTATION = 400
# So many plain words in one sentence, each with a full stop and a small letter behind it, may be abbreviations that are
# listed nowhere; with more, whoever wrote this writes no capitals.
_DOUBTS = 2
_OPENINGS = "\"'«»„“”‚‘’‹›「『《〈（([{¿¡—–-―… \u200e\u200f\u202a\u202b\u202c"
_NO_LETTERS = f"{words.CLOSINGS} .!?…。！？"
_NEVER_FIRST = frozenset(",;:/)]}&=，、；：）」』》〉")
_ROMAN = re.compile(r"[IVXLCDM]+\b|[ivxlcdm]+\b")
# Dutch words of one letter that lost the rest: a sentence begins "'s Avonds", its capital is the next word's.
_ELIDED = re.compile(r"['’‘][^\W\d_]\s+(?=[^\W\d_])")
# "three books: 1. Alpha; 2. Beta"
_ITEM_IN_SENTENCE = re.compile(r"[:;]\s+\(?(?:\d{1,2}|[a-z])\.\s*$")
_WHOLE_DATE = re.compile(r"\d{4}\.\s?\d{1,2}\.\s?\d{1,2}\.\s*$")
# "…, 1898 г. В": a year behind a comma ends no sentence, it dates what stands before it.
_IN_A_CAPTION = re.compile(r", \d{4} \w{1,2}\.\s*$")


class Rules:
    """Decides for one language whether the engine's cuts are ends of sentences."""

    def __init__(self, table: SentenceTable) -> None:
        self.table = table
        self._words = Words(table)
        self._quotations = [(pair[0], pair[1]) for pair in table.quotations]

    def quotes(self, text: str) -> bool:
        """Whether a pair of the table's own quotation marks stands in the text."""
        return any(opening in text and closing in text for opening, closing in self._quotations)

    def joined(self, pieces: list[str], longest: int, quoted: bool) -> list[str]:
        """The engine's pieces (at least one, none empty), those together between which no sentence ends.

        `longest`: nothing is joined to a sentence of so many characters, so that joining takes linear time. `quoted`:
        what `quotes` says of the text.
        """
        ends = [False] * (len(pieces) - 1) if quoted else self._plain_ends(pieces)
        if all(ends):
            return pieces
        sentences: list[str] = []
        sentence, doubts = pieces[0], 0
        for piece, ended in zip(pieces[1:], ends, strict=True):
            if ended:
                sentences.append(sentence)
                sentence, doubts = piece, 0
                continue
            if sentence[-1] in words.CLOSINGS and sentence[-2:-1].isspace():  # the mark opens what follows
                sentence, piece = sentence[:-1], sentence[-1] + piece
            goes_on = len(sentence) < longest and (
                (quoted and self._is_open(sentence)) or self.goes_on(sentence, piece)
            )
            doubts = doubts + 1 if goes_on and piece[0].islower() and not self._words.last(sentence) else 0
            if goes_on and doubts <= _DOUBTS:
                sentence += piece
            else:
                sentences.append(sentence)
                sentence, doubts = piece, 0
        sentences.append(sentence)
        return sentences

    def _plain_ends(self, pieces: list[str]) -> list[bool]:
        """Of each piece but the last, whether it plainly ends a sentence.

        The common case, decided at once: a plain word before, a capital after, perhaps behind a quotation mark.
        """
        known = self._words.plain_tails
        ends: list[bool] = []
        for before, piece in pairwise(pieces):
            tail = before[-TAIL_CHARACTERS:]
            plain = known.get(tail)
            if plain is None:
                plain = self._words.is_plain_tail(tail)
            ends.append(plain and (piece[0].isupper() or (piece[1:2].isupper() and piece[0] not in _NEVER_FIRST)))
        return ends

    def goes_on(self, sentence: str, following: str) -> bool:
        """Whether `following`, which the engine cut off behind `sentence`, belongs to it; neither may be empty."""
        kind = self._words.last(sentence)
        if kind & words.NEVER_ENDS:
            return True
        if following[0] in _NEVER_FIRST and not following.startswith(self.table.joined_openings):
            return True
        if kind & words.QUOTATION and self._goes_on_after_quotation(following):
            return True
        if sentence[-1] in "？！" and self._begins(following, self.table.after_exclamations):
            return True
        elided = _ELIDED.match(following) if following[0] in "'’‘" else None
        near = following[elided.end() if elided else 0 :][: 2 * WORD_CHARACTERS].lstrip(_OPENINGS)
        if not near:
            return not following.strip(words.CLOSINGS + " ")
        if kind & words.PART_OF_ABBREVIATION:
            kind |= self._words.spelled_apart(sentence, near)
            if kind & words.NEVER_ENDS:
                return True
        spaced = sentence[-1].isspace()
        if kind & words.ITEM_MARKER and " " not in sentence.strip() and not (spaced and near[0].isdigit()):
            return True
        if kind & words.ITEM_MARKER and _ITEM_IN_SENTENCE.search(sentence[-WORD_CHARACTERS:]):
            return True
        if near[0].islower() and not near[1:2].isupper():
            if near[1:2] == ")":
                return bool(kind & words.BEFORE_NUMBERS)
            # Where sentences begin in lower case too, as people write to each other, it says nothing.
            # Nor does it behind a script that has no capitals.
            return kind != 0 or not (
                sentence[:WORD_CHARACTERS].lstrip(_OPENINGS)[:1].islower() or _ends_without_case(sentence)
            )
        if near[0].isdigit():
            if not spaced and sentence[-2:-1].isdigit():  # ۳.۵, whose digits the engine does not know
                return True
            if following[0] in "([" and kind & words.BEFORE_NAMES:  # 400 тыс. чел. (2010)
                return True
            return bool(kind & (words.BEFORE_NUMBERS | words.PART_OF_DATE | words.ACRONYM))
        return bool(kind & words.FULL_STOP) and near[0].isalpha() and self._goes_on_with_capital(sentence, near, kind)

    def _goes_on_with_capital(self, sentence: str, near: str, kind: int) -> bool:
        """`near` begins with a capital, or a letter of a script that has none."""
        table = self.table
        if kind & words.PART_OF_DATE and not near[0].isupper() and _WHOLE_DATE.search(sentence[-WORD_CHARACTERS:]):
            return table.years_first  # 2001. 5. 3. 선고
        if sentence[-1] == "." and kind & (words.ITEM_MARKER | words.INITIAL | words.ACRONYM):
            return not sentence[-4:-1].isdigit()  # no space between: 3.Arroz, l'U.R.S.S.
        if kind & (words.BEFORE_NUMBERS | words.ORDINAL) and _ROMAN.match(near):
            return bool(kind & words.BEFORE_NUMBERS) or near[1:2].isupper()
        found = FIRST_WORD.match(near)
        word = found[0] if found else near
        if kind & words.ORDINAL and word.lower() in table.ordinal_followers:
            return True
        if kind & (words.INITIAL | words.BEFORE_NAMES) and len(word) == 1 and near[1:2] == ".":
            return True  # A. I. Semyonov, though "И" begins sentences
        if kind & words.BEFORE_NAMES and _IN_A_CAPTION.search(sentence[-2 * WORD_CHARACTERS :]):
            return True
        ordinal = kind & words.ORDINAL and table.ordinals_before_capitals and not self._words.counts_something(sentence)
        if not (ordinal or kind & (words.BEFORE_NAMES | words.INITIAL | words.ACRONYM)):
            return False
        return word not in table.starters and re.split("['’-]", word)[0] not in table.starters

    def _goes_on_after_quotation(self, following: str) -> bool:
        table = self.table
        if following.startswith(self.table.joined_openings):
            return True
        if self._begins(following, table.after_quotations):
            return True
        return bool(table.speech_verbs) and any(mark in table.speech_verbs for mark in following[:6])

    def _begins(self, following: str, beginnings: tuple[str, ...]) -> bool:
        # `startswith` of no beginnings at all is False, and of exceptions too.
        return following.startswith(beginnings) and not following.startswith(self.table.after_quotations_not)

    def _is_open(self, sentence: str) -> bool:
        """Whether a quotation of the table's own marks has begun that is not closed."""
        if len(sentence) > _OPEN_QUOTATION:
            return False
        return any(
            sentence.count(opening) > sentence.count(closing)
            if opening != closing
            else sentence.count(opening) % 2 and "“" not in sentence and "„" not in sentence
            for opening, closing in self._quotations
        )


def _ends_without_case(sentence: str) -> bool:
    last = sentence[-WORD_CHARACTERS:].rstrip(_NO_LETTERS)[-1:]
    return last.isalpha() and not last.isupper() and not last.islower()
