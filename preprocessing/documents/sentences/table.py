"""What a language's table says of its sentences: the section `[sentences]` of `preprocessing/languages/<code>.toml`."""

import functools
import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from preprocessing.errors import PreprocessingError
from preprocessing.languages import section

# The rules of `sentencex` for Amharic know next to no abbreviations (most languages fall back on English ones), so that
# they cut after nearly every full stop. Their marks are those of all scripts.
_EVERY_FULL_STOP = "am"


class SentenceTable(BaseModel):
    """Where full stops do not end a sentence.

    Abbreviations are written with their full stops and without spaces. One in lower case stands for every spelling
    (`z.b.` for "z.B.", "Z. B." and "z. B."), one with a capital for itself alone (`Mar.` is Tuesday or March, "mar."
    the sea), one that begins with a hyphen for all words that end so (`-str.` for "Goethestr."). Before a word in lower
    case no sentence ends: for that, none needs an entry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str = Field(_EVERY_FULL_STOP, description="language whose rules of `sentencex` cut first")
    never_end: frozenset[str] = Field(frozenset(), description="abbreviations that never end a sentence (Mr., z.B.)")
    before_numbers: frozenset[str] = Field(frozenset(), description="that do not end one before a number (No., p.)")
    before_names: frozenset[str] = Field(
        frozenset(), description="that end one only before one of `starters` or a number (Co., г.)"
    )
    starters: frozenset[str] = Field(frozenset(), description="words that begin a sentence and no name, capitalised")
    initials: bool = Field(True, description="a single letter and a full stop is a name's initial")
    ordinals: bool = Field(False, description="a number and a full stop is an ordinal (3. Mai)")
    ordinals_before_capitals: bool = Field(False, description="also before capitalised words, save `starters`")
    ordinal_followers: frozenset[str] = Field(frozenset(), description="lower-case words that follow ordinals")
    spaced_dates: bool = Field(False, description="dates are written 3. 5. 1990")
    years_first: bool = Field(False, description="dates are written 1990. 5. 3.")
    elision: bool = Field(False, description="an apostrophe joins a word to the one before (l'Ing.)")
    prefixes: str = Field("", description="letters that a word may have before it, as Arabic's and")
    stops: str = Field("", max_length=1, description="a further mark that ends a sentence before a space")
    unspaced: bool = Field(False, description="no space follows the full stop")
    quotations: tuple[str, ...] = Field((), description="pairs of marks inside which no short sentence ends")
    after_quotations: tuple[str, ...] = Field(
        (), description="beginnings of what goes on after a quotation that ended in a full stop"
    )
    after_quotations_not: tuple[str, ...] = Field((), description="longer beginnings that are exceptions to those")
    after_exclamations: tuple[str, ...] = Field(
        (), description="those that go on after ！ and ？ without a quotation too"
    )
    speech_verbs: str = Field("", description="characters, one of which soon after a quotation says who spoke")
    joined_openings: tuple[str, ...] = Field((), description="marks that open a further part of the same speech")

    @model_validator(mode="after")
    def _is_written_as_it_is_compared(self) -> Self:
        for name in ("never_end", "before_numbers", "before_names"):
            for word in getattr(self, name):
                if not word.endswith(".") or re.search(r"\s", word):
                    raise ValueError(f"{name}: {word!r} is not an abbreviation without spaces, with its full stops")
        if wrong := [word for word in self.starters if not word[:1].isalpha() or word[:1].islower()]:
            raise ValueError(f"starters: {wrong[0]!r} does not begin with a capital")
        if wrong := [pair for pair in self.quotations if len(pair) != 2]:
            raise ValueError(f"quotations: {wrong[0]!r} is not a pair of marks")
        return self


@functools.cache
def sentence_table(language: str) -> SentenceTable | None:
    """The language's table; None where it has none. Raises PreprocessingError for a table that says it wrong."""
    held = section(language, "sentences")
    if not held:
        return None
    try:
        return SentenceTable.model_validate(held)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "a list"
        raise PreprocessingError(
            f"[sentences] of the table for {language!r}: {where}: {fault['msg']}; mend preprocessing/languages/."
        ) from None
