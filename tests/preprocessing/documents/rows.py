"""Rows of text, and how a test reads files of them: every document is accounted for."""

from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

TEXT = "The first sentence of row {} is long enough. The second one follows it."
SENTENCES = ("The first sentence of row {} is long enough.", "The second one follows it.")


def read(split_bytes: int = 1 << 20, inputs: dict[str, object] | None = None, **options: object):  # type: ignore[no-untyped-def]
    tally = Tally()
    source = DocumentOptions(**options)  # type: ignore[arg-type]
    splits = plan_splits(InputOptions(**(inputs or {})), split_bytes)  # type: ignore[arg-type]
    documents = [document for split in splits for document in read_documents(split, source, tally)]
    assert tally.unaccounted == 0
    return documents, tally


def sentences_of(row: int) -> tuple[str, ...]:
    return tuple(sentence.format(row) for sentence in SENTENCES)
