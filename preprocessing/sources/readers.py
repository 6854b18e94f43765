"""Which reader a source has: a piece of a split → raw documents, streamed."""

from collections.abc import Callable, Iterator

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

Reader = Callable[[Split, ReaderOptions, Tally], Iterator[RawDocument]]


def reader_of(source: str) -> Reader:
    """What reads one piece of a split of this source; it counts every record in `documents_in`."""
    # Imported when first needed: a worker that reads a dump should not pay for importing datasets.
    if source == "wikipedia":
        from preprocessing.sources.wikipedia.articles import read_articles

        return lambda piece, options, tally: read_articles(piece, options.wikitext, tally, options.language)
    if source == "books":
        from preprocessing.sources.books.reader import read_books

        return read_books
    if source == "jsonlines":
        from preprocessing.sources.records.jsonlines import read_jsonlines

        return read_jsonlines
    if source == "parquet":
        from preprocessing.sources.records.parquet import read_parquet

        return read_parquet
    if source == "huggingface":
        from preprocessing.sources.records.huggingface import read_dataset

        return read_dataset
    if source == "sentences":
        from preprocessing.sources.records.sentence_lines import read_sentence_lines

        return read_sentence_lines
    if source == "text":
        from preprocessing.sources.text_files.reader import read_text_file

        return read_text_file
    raise PreprocessingError(f"There is no source called {source!r}.")
