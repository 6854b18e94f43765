"""How raw documents become documents."""

from typing import Literal

from pydantic import Field

from preprocessing.arguments import REMOTE
from preprocessing.sources.options import Options, ReaderOptions

# A short paragraph with one of these is a web page's furniture (line rules of C4, Raffel et al. 2020, section 2.2).
WEB_FURNITURE = (
    "lorem ipsum",
    "enable javascript",
    "javascript is disabled",
    "this site uses cookies",
    "this website uses cookies",
    "cookie policy",
    "privacy policy",
    "terms of use",
    "all rights reserved",
)


class CleaningOptions(Options):
    """Rules on paragraphs and documents. A limit of 0 (or 1.0 for a share) switches a rule off."""

    normalization: Literal["NFC", "NFKC", "none"] = Field("NFC", description="Unicode normalisation form")
    drop_control_characters: bool = Field(
        True, description="remove control, format, private-use and replacement characters"
    )
    boilerplate_phrases: tuple[str, ...] = Field(
        WEB_FURNITURE, description="a short paragraph that contains one of these (in any case) is dropped"
    )
    boilerplate_maximum_characters: int = Field(
        300, ge=0, description="a paragraph of more characters is never taken for boilerplate"
    )
    maximum_symbol_share: float = Field(
        0.5, ge=0, le=1, description="a document with a larger share of non-letters (spaces aside) is dropped"
    )
    maximum_repeated_share: float = Field(
        0.3, ge=0, le=1, description="a document with a larger share of text in repeated paragraphs is dropped"
    )
    minimum_characters: int = Field(50, ge=0, description="a document with fewer characters is dropped")
    minimum_sentences: int = Field(1, ge=1, description="a document with fewer sentences is dropped")


class DecontaminationOptions(Options):
    """Which evaluation files must not leak into pretraining."""

    files: tuple[str, ...] = Field(
        (), description="dev and test files (tsv, csv, json, jsonl, txt), or quoted globs", json_schema_extra=REMOTE
    )
    ngram_words: int = Field(13, ge=1, description="length of a run of words that counts as shared")
    action: Literal["report", "drop"] = Field(
        "report", description="a document that shares such a run is counted and named, or dropped as well"
    )


class ParseOptions(ReaderOptions):
    """How a split's bytes become documents: what a parsed corpus is made with."""

    cleaning: CleaningOptions = CleaningOptions()
    skip_bad_files: bool = Field(False, description="count and skip a file that cannot be read")


class DocumentOptions(ParseOptions):
    """Everything that decides which documents come out of a split's bytes, and how."""

    decontamination: DecontaminationOptions = DecontaminationOptions()
    drop_lists: tuple[str, ...] = Field(
        (),
        description="files of document keys to leave out, as written by preprocessing.near_duplicates",
        json_schema_extra=REMOTE,
    )
