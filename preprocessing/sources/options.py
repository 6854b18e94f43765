"""What is read and how: the typed options between raw files and documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.wikitext.options import WikitextOptions

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


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputOptions(_Options):
    """Which inputs are read. Each path may be a file, a glob (`**` crosses folders) or, for books, a folder."""

    wikipedia: tuple[str, ...] = Field((), description="pages-articles XML dumps (plain, bz2, gz, zst)")
    books: tuple[str, ...] = Field((), description="plain text or EPUB books, or folders of them")
    jsonlines: tuple[str, ...] = Field((), description="one JSON object a line (plain, gz, zst, bz2)")
    parquet: tuple[str, ...] = Field((), description="Parquet files with a text column")
    sentences: tuple[str, ...] = Field((), description="a sentence a line, a blank line between documents")
    dataset: tuple[str, ...] = Field(
        (), description="Hugging Face datasets, as name, name:configuration, or a local folder or file"
    )
    dataset_split: str = Field("train", description="which split of the Hugging Face datasets is read")
    dataset_revision: str | None = Field(None, description="commit or tag of the Hugging Face datasets")
    skip_bad_files: bool = Field(
        False, description="count and skip a file that is empty or cannot be read, instead of stopping"
    )


class CleaningOptions(_Options):
    """Rules on paragraphs and documents. A limit of 0 (or 1.0 for a share) switches a rule off."""

    normalization: Literal["NFC", "NFKC", "none"] = Field("NFC", description="Unicode normalisation form")
    drop_control_characters: bool = Field(
        True, description="remove control, format, private-use and replacement characters"
    )
    boilerplate_phrases: tuple[str, ...] = Field(
        WEB_FURNITURE, description="a short paragraph that contains one of these (in any case) is dropped"
    )
    boilerplate_maximum_characters: int = Field(
        300, ge=0, description="longer paragraphs are never taken for boilerplate"
    )
    maximum_symbol_share: float = Field(
        0.5, ge=0, le=1, description="a document with a larger share of non-letters (spaces aside) is dropped"
    )
    maximum_repeated_share: float = Field(
        0.3, ge=0, le=1, description="a document with a larger share of text in repeated paragraphs is dropped"
    )
    minimum_characters: int = Field(50, ge=0, description="a shorter document is dropped")
    minimum_sentences: int = Field(1, ge=1, description="a document with fewer sentences is dropped")


class BookOptions(_Options):
    """How a book becomes documents."""

    document: Literal["book", "chapter"] = Field(
        "book", description="what one document is: the whole book, as BERT was trained, or a chapter"
    )
    keep_headings: bool = Field(False, description="keep chapter headings as sentences of their own")
    encoding: str | None = Field(None, description="force this encoding instead of detecting one per file")
    unpacked_limit_bytes: int = Field(256 << 20, gt=0, description="an EPUB that unpacks to more than this is refused")


class RecordOptions(_Options):
    """Fields of JSON lines, Parquet and Hugging Face rows."""

    text_field: str = Field("text", description="the field or column that holds the text")
    title_field: str = Field("title", description="the field that holds a title, if rows have one")


class LimitOptions(_Options):
    """What bounds memory whatever the input."""

    line_bytes: int = Field(16 << 20, gt=0, description="a longer line is refused")
    document_characters: int = Field(
        32 << 20, gt=0, description="a longer document is cut into parts at paragraph boundaries"
    )


class DecontaminationOptions(_Options):
    """Which evaluation files must not leak into pretraining."""

    files: tuple[str, ...] = Field((), description="dev and test files (tsv, csv, json, jsonl, txt), globs too")
    ngram_words: int = Field(13, ge=1, description="words in a row that count as shared")
    action: Literal["report", "drop"] = Field("report", description="count and name, or also drop")


class SourceOptions(_Options):
    """Everything that decides how a split's bytes become documents."""

    language: str = Field("en", description="language of the sentence rules (ISO 639-1 or Wikipedia's code)")
    wikitext: WikitextOptions = WikitextOptions()
    books: BookOptions = BookOptions()
    records: RecordOptions = RecordOptions()
    cleaning: CleaningOptions = CleaningOptions()
    limits: LimitOptions = LimitOptions()
    decontamination: DecontaminationOptions = DecontaminationOptions()
    drop_lists: tuple[str, ...] = Field(
        (), description="files of document keys to leave out, as written by preprocessing.near_duplicates"
    )
    skip_bad_files: bool = Field(False, description="count and skip a file that cannot be read")
