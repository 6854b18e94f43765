"""Which inputs are read, and how a format becomes raw documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import REMOTE
from preprocessing.wikitext.options import WikitextOptions


class Options(BaseModel):
    """Frozen options that refuse what they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RawInputOptions(Options):
    """Which raw inputs are read. Each path may be a file, a glob (`**` crosses folders), of books and text a folder."""

    wikipedia: tuple[str, ...] = Field(
        (),
        description="pages-articles XML dumps (plain, bz2, gz, zst, xz): files or quoted globs",
        json_schema_extra=REMOTE,
    )
    books: tuple[str, ...] = Field(
        (), description="plain text or EPUB books: files, quoted globs or folders", json_schema_extra=REMOTE
    )
    jsonlines: tuple[str, ...] = Field(
        (),
        description="files or quoted globs, one JSON object a line (plain, gz, zst, xz, bz2)",
        json_schema_extra=REMOTE,
    )
    parquet: tuple[str, ...] = Field(
        (), description="Parquet files with a text column, or quoted globs", json_schema_extra=REMOTE
    )
    sentences: tuple[str, ...] = Field(
        (),
        description="files or quoted globs, a sentence a line, a blank line between documents",
        json_schema_extra=REMOTE,
    )
    text: tuple[str, ...] = Field(
        (),
        description="files of your own, one document each, read by their suffixes (.txt, .md, .html, .xhtml, .epub): "
        "files, quoted globs or folders",
        json_schema_extra=REMOTE,
    )
    dataset: tuple[str, ...] = Field(
        (), description="Hugging Face datasets, as name, name:configuration, or a local folder or file"
    )
    dataset_split: str = Field("train", description="which split of the Hugging Face datasets is read")
    dataset_revision: str | None = Field(None, description="commit or tag of the Hugging Face datasets")
    skip_bad_files: bool = Field(
        False, description="count and skip a file that is empty or cannot be read, instead of stopping"
    )


class InputOptions(RawInputOptions):
    """Which inputs are read: raw ones, and such as were parsed before."""

    corpus: tuple[str, ...] = Field(
        (),
        description="folders of parsed documents, as written by preprocessing/corpus.py: read as they are",
        json_schema_extra=REMOTE,
    )


class BookOptions(Options):
    """How a book becomes documents; all but `document` holds for files of `--text` too."""

    document: Literal["book", "chapter"] = Field(
        "book", description="what one document is: the whole book, as BERT was trained, or a chapter"
    )
    keep_headings: bool = Field(False, description="keep chapter headings as sentences of their own")
    encoding: str | None = Field(
        None, description="encoding of plain text that does not say its own (default: detected for each file)"
    )
    unpacked_limit_bytes: int = Field(
        256 << 20, gt=0, description="an EPUB that unpacks to more bytes than this is refused"
    )


class SentenceOptions(Options):
    """Files of a sentence a line."""

    encoding: str | None = Field(None, description="encoding of what --sentences names (default: detected for each)")


class RecordOptions(Options):
    """Fields of JSON lines, Parquet and Hugging Face rows."""

    text_field: str = Field("text", description="the field or column that holds the text")
    title_field: str = Field("title", description="the field that holds a title, if rows have one")


class LimitOptions(Options):
    """What bounds memory whatever the input."""

    line_bytes: int = Field(16 << 20, gt=0, description="a line of more bytes than this is refused")
    document_characters: int = Field(
        32 << 20, gt=0, description="a document of more characters is cut into parts at paragraph boundaries"
    )


class ReaderOptions(Options):
    """Everything that decides how a split's bytes become raw documents."""

    language: str = Field("en", description="language of the sentence rules (ISO 639-1 or Wikipedia's code)")
    template_map: str | None = Field(
        None,
        description='TOML file of templates of Wikipedia that no table knows and what they show, "name" = "renderer"',
        json_schema_extra=REMOTE,
    )
    wikitext: WikitextOptions = WikitextOptions()
    books: BookOptions = BookOptions()
    records: RecordOptions = RecordOptions()
    sentences: SentenceOptions = SentenceOptions()
    limits: LimitOptions = LimitOptions()
