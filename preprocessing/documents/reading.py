"""From one split's bytes to documents, whatever the source."""

from collections.abc import Iterator

from preprocessing.documents.bad_share import UNREAD_BYTES
from preprocessing.documents.cleaning import Cleaner
from preprocessing.documents.decontamination import Decontaminator
from preprocessing.documents.document import Document
from preprocessing.documents.drop_lists import document_key, load_drop_lists
from preprocessing.documents.identity import with_template_map
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_documents import read_parsed
from preprocessing.documents.sentences import Segmenter
from preprocessing.documents.text_checks import TextChecks
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.identity import has_changed
from preprocessing.sources.input_files import check_file, is_no_text, unreadable
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.readers import reader_of
from preprocessing.sources.split import Split
from preprocessing.tally import DOCUMENTS_IN, DOCUMENTS_OUT, DROPPED, Tally


def read_documents(split: Split, options: DocumentOptions, tally: Tally) -> Iterator[Document]:
    """The documents of a split in order, streamed: memory is bounded by the limits in `options`.

    `tally` balances when the iterator is exhausted: documents in = documents out + all that was dropped. Raises
    PreprocessingError for a file that cannot be read, unless `options.skip_bad_files`. Documents of a parsed corpus
    come as they are, apart from those that the lists of `options` leave out.
    """
    options = with_template_map(options)
    steps = _Steps(options)
    if split.parsed:
        for parsed in read_parsed(split, tally):
            if not (steps.is_listed(parsed.source, parsed.file, parsed.locator, tally) or steps.leaks(parsed, tally)):
                tally.count(DOCUMENTS_OUT)
                yield parsed
        return
    for piece in split.pieces():
        if is_no_text(piece.source, piece.file):
            tally.count(DOCUMENTS_IN)
            tally.reject(piece.file, "its suffix is none of those that --text reads", kind="not_text")
            continue
        before = tally.documents_in
        try:
            if piece.start == piece.end:
                check_file(piece.source, piece.path, piece.file)
                raise PreprocessingError(
                    f"--{piece.source} {piece.path} could not be used when the build was planned, and can now; build "
                    "into another --output."
                )
            for raw in reader_of(piece.source)(piece, options, tally):
                document = steps.document(piece, raw, tally)
                if document is not None:
                    tally.count(DOCUMENTS_OUT)
                    yield document
            changed = has_changed(piece)
        except (PreprocessingError, OSError) as error:
            fault = unreadable(piece.source, piece.path, error) if isinstance(error, OSError) else error
            if not options.skip_bad_files or isinstance(fault, TransientError):
                raise fault from error
            if tally.documents_in == before:
                tally.count(UNREAD_BYTES, piece.size)
            tally.count(DOCUMENTS_IN)
            tally.reject(piece.file, str(fault), kind="bad_file")
            continue
        if changed:
            raise PreprocessingError(
                f"--{piece.source} {piece.path} was changed while it was read; when nobody writes to it any more, "
                "build into another --output."
            )


def faults_in(split: Split, options: DocumentOptions) -> list[PreprocessingError]:
    """Every fault of the split's pieces, each piece read up to its first one; no document is made.

    For messages: one run then names all bad files that lie together. What may pass by itself is no fault.
    """
    if split.parsed:
        return _fault_in_parsed(split)
    faults = []
    for piece in split.pieces():
        if is_no_text(piece.source, piece.file):
            continue
        try:
            if piece.start == piece.end:
                check_file(piece.source, piece.path, piece.file)
            for _ in reader_of(piece.source)(piece, options, Tally()):
                pass
        except (PreprocessingError, OSError) as error:
            fault = unreadable(piece.source, piece.path, error) if isinstance(error, OSError) else error
            if not isinstance(fault, TransientError):
                faults.append(fault)
    return faults


def _fault_in_parsed(split: Split) -> list[PreprocessingError]:
    try:
        for _ in read_parsed(split, Tally()):
            pass
    except TransientError:
        pass
    except PreprocessingError as error:
        return [error]
    return []


def _title(raw: RawDocument) -> str:
    title = " ".join(raw.title.split())
    try:
        title.encode()
    except UnicodeEncodeError:  # half a surrogate pair, as JSON can spell it, is no text in any encoding
        return title.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return title


class _Steps:
    """Cleaning, segmentation and the lists of what to leave out, for one split."""

    def __init__(self, options: DocumentOptions) -> None:
        self._checks = TextChecks(options.language)
        self._cleaner = Cleaner(options.cleaning)
        self._segmenter = Segmenter(options.language)
        self._minimum_sentences = options.cleaning.minimum_sentences
        self._drop_lists = load_drop_lists(options.drop_lists) if options.drop_lists else None
        files = options.decontamination.files
        self._decontaminator = Decontaminator.load(options.decontamination, options.language) if files else None

    def document(self, piece: Split, raw: RawDocument, tally: Tally) -> Document | None:
        """The document, or None when it is dropped, which is counted."""
        self._checks.look(raw.paragraphs, tally)  # all that is read, as when a corpus is parsed before any list
        if self.is_listed(piece.source, piece.file, raw.locator, tally):
            return None
        paragraphs = self._cleaner.clean(raw.paragraphs, tally)
        refusal = self._cleaner.refusal(paragraphs)
        if refusal:
            tally.count(DROPPED + refusal)
            return None
        # In Google's layout the lines are the sentences already.
        segmented = piece.source == "sentences"
        sentences = paragraphs if segmented else self._segmenter.segment(paragraphs)
        if len(sentences) < self._minimum_sentences:
            tally.count(DROPPED + "too_few_sentences")
            return None
        document = Document(piece.source, piece.file, raw.locator, _title(raw), tuple(sentences))
        return None if self.leaks(document, tally) else document

    def is_listed(self, source: str, file: str, locator: str, tally: Tally) -> bool:
        """Whether a drop list names the document, which is counted."""
        if not self._drop_lists:
            return False
        listed = self._drop_lists.reason(document_key(source, file, locator), tally)
        if listed:
            tally.count(DROPPED + listed)
        return listed is not None

    def leaks(self, document: Document, tally: Tally) -> bool:
        """Whether the document is dropped for what it shares with evaluation data, which is counted."""
        return self._decontaminator is not None and self._decontaminator.is_dropped(document, tally)
