"""What an uncased vocabulary takes from a script: marks that are letters there.

BERT's uncased normalisation decomposes text (NFD) and deletes nonspacing marks (`strip_accents` in `tokenizers`). That
takes accents from Latin letters, as is meant; but from Devanagari vowel
signs, from Thai vowels and tones, from Japanese the marks of voiced kana, from Vietnamese the tones, and Korean
syllables fall apart into jamo.
"""

import unicodedata
from collections import Counter

from preprocessing.languages import LANGUAGES, plain_language, section
from preprocessing.sources.encodings import script_of
from preprocessing.tokens.tokenizer import Tokenizer

_SHOWN = 4
_MUCH = 0.2


def lost_marks(tokenizer: Tokenizer, language: str) -> list[str]:
    """A sentence for `language`, and one for the language that the vocabulary seems made for, if its letters change.

    Languages in Latin letters are none, except where `[writing]` says `marks_distinguish_words`.
    """
    codes = dict.fromkeys((plain_language(language), *_languages_of(tokenizer)))
    return [sentence for code in codes if (sentence := _sentence(tokenizer, code))][:1]


def _sentence(tokenizer: Tokenizer, code: str) -> str | None:
    writing = section(code, "writing")
    if "letters" not in writing or (writing["scripts"] == ["Latin"] and not writing.get("marks_distinguish_words")):
        return None
    letters = "".join(writing.get("letters", "").split())
    normalised = {letter: tokenizer.normalised(letter) for letter in letters}
    lost = [letter for letter in letters if normalised[letter] != letter]
    if not lost:
        return None
    shown = ", ".join(f"{_visible(letter)} → {' + '.join(normalised[letter]) or 'nothing'}" for letter in lost[:_SHOWN])
    return (
        f"this uncased vocabulary takes letters apart and deletes their marks, and so changes {len(lost)} of the "
        f"{len(letters)} most frequent letters of {writing['name']} ({shown}): use one that "
        "preprocessing/vocabulary.py trains with --keep-accents or --cased"
    )


def _visible(letter: str) -> str:
    return f"◌{letter}" if unicodedata.combining(letter) or unicodedata.category(letter)[0] == "M" else letter


def _languages_of(tokenizer: Tokenizer) -> list[str]:
    """A language of the script, other than Latin, that a good part of the vocabulary is in."""
    pieces = [piece.removeprefix("##") for piece in tokenizer.tokens]
    scripts = Counter(script_of(piece[0]) for piece in pieces if piece and not piece.isascii())
    large = {script for script, count in scripts.items() if count > _MUCH * len(pieces) and script != "LATIN"}
    return [code for code in sorted(LANGUAGES) if large & {s.upper() for s in section(code, "writing")["scripts"]}]
