"""The text of one record (a JSON row, a table cell) as a document."""

from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.paragraphs import blocks_of, margin_of, paragraphs_of
from preprocessing.sources.raw_document import RawDocument
from preprocessing.tally import Tally

# A record is in memory as a whole, so it may not be as long as its file.
_DOCUMENTS_HELD = 4
_BYTES_OF_CHARACTER = 4
HALF_SURROGATES = "records.half_surrogates"
UNDECODABLE_TITLES = "records.undecodable_titles"


class RecordError(ValueError):
    """Why a record is not used, in words."""


class TextReader:
    """Makes documents of what records hold, and counts what had to be mended in them."""

    def __init__(self, options: ReaderOptions, tally: Tally) -> None:
        self._field = options.records.text_field
        self._limit = _DOCUMENTS_HELD * options.limits.document_characters
        self._tally = tally

    def document(self, locator: str, text: object, title: object) -> RawDocument:
        """The document of a record; `text` and `title` are str, bytes in UTF-8, or what else a field may hold.

        Raises RecordError for a text that is none, is not UTF-8, or is longer than a document may be.
        """
        if isinstance(text, bytes):
            text = self._decoded(text)
        if text is None:
            raise RecordError(f"null in column {self._field!r}")
        if not isinstance(text, str):
            raise RecordError(f"no text in field {self._field!r} but {type(text).__name__}")
        if len(text) > self._limit:
            raise self._too_long()
        return RawDocument(locator, self._title(title), paragraphs_of_record(self._without_halves(text)))

    def _decoded(self, text: bytes) -> str:
        if len(text) > _BYTES_OF_CHARACTER * self._limit:
            raise self._too_long()
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RecordError(f"not UTF-8 at byte {error.start:,} of column {self._field!r}") from None

    def _title(self, title: object) -> str:
        if isinstance(title, bytes):
            written = title
            try:
                title = written.decode("utf-8")
            except UnicodeDecodeError:
                self._tally.count(UNDECODABLE_TITLES)
                title = written.decode("utf-8", "replace")
        return self._without_halves(title) if isinstance(title, str) else ""

    def _without_halves(self, text: str) -> str:
        """Half of a surrogate pair, as JSON can spell it, is no text in any encoding."""
        if text.isascii():
            return text
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            mended = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            self._tally.count(HALF_SURROGATES, mended.count("\ufffd") - text.count("\ufffd"))
            return mended
        return text

    def _too_long(self) -> RecordError:
        return RecordError(
            f"its text is longer than {self._limit:,} characters, {_DOCUMENTS_HELD} times --limits.document-characters"
        )


def paragraphs_of_record(text: str) -> list[str]:
    """Blocks between blank lines; inside a block, hard-wrapped lines are joined, other lines are paragraphs."""
    if "\n" not in text:
        return [text]
    lines = text.splitlines()
    margin = margin_of(lines)
    return [paragraph for block in blocks_of(lines) for paragraph in paragraphs_of(block, margin)]
