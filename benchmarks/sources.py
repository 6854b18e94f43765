"""How fast raw text becomes clean sentences, and what signatures of documents cost.

    .venv/bin/python -m benchmarks.sources --books 'books/*.txt' --wikipedia 'dumps/*.bz2'

One core, CPU time, the median of five runs. The last line is one JSON object; speeds are MB of clean text a second.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import sentencex

from benchmarks.command import benchmark_parser, run
from preprocessing.documents.cleaning import Cleaner
from preprocessing.documents.document import Document
from preprocessing.documents.options import CleaningOptions, DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.documents.sentences import Segmenter
from preprocessing.documents.word_ngrams import WordHasher
from preprocessing.sources.books.reader import read_books
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.wikipedia.articles import read_articles
from preprocessing.tally import Tally

_RUNS = 5
_LONG = 500


def speed(characters: int, work: Callable[[], object]) -> float:
    """Millions of characters a second of CPU time."""
    times = []
    for _ in range(_RUNS):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return round(characters / 1e6 / statistics.median(times), 1)


def read(inputs: InputOptions) -> list[Document]:
    """All documents with the default options."""
    return [d for split in plan_splits(inputs) for d in read_documents(split, DocumentOptions(), Tally())]


def raw_paragraphs(inputs: InputOptions) -> list[list[str]]:
    """The paragraphs of each document before cleaning."""
    options, tally = DocumentOptions(), Tally()
    pieces = [piece for split in plan_splits(inputs) for piece in split.pieces()]
    raw = (
        read_books(piece, options, tally)
        if piece.source == "books"
        else read_articles(piece, options.wikitext, tally, options.language)
        for piece in pieces
    )
    return [document.paragraphs for documents in raw for document in documents]


def text_figures(inputs: InputOptions, name: str) -> dict[str, float]:
    """Speeds of the whole road to sentences, of cleaning alone and of segmentation alone; long sentences."""
    documents = read(inputs)
    paragraphs = raw_paragraphs(inputs)
    characters = sum(len(sentence) for document in documents for sentence in document.sentences)
    cleaner, segmenter, tally = Cleaner(CleaningOptions()), Segmenter("en"), Tally()
    lengths = np.array([len(sentence) for document in documents for sentence in document.sentences])
    cleaned = [paragraph for held in paragraphs for paragraph in cleaner.clean(held, tally)]
    plain = np.array([len(s) for paragraph in cleaned for s in sentencex.segment("en", paragraph)])
    return {
        f"{name}_raw_to_sentences": speed(characters, lambda: read(inputs)),
        f"{name}_cleaning": speed(
            characters, lambda: [cleaner.refusal(cleaner.clean(held, tally)) for held in paragraphs]
        ),
        f"{name}_segmentation": speed(characters, lambda: [segmenter.segment(held) for held in paragraphs]),
        f"{name}_text_in_sentences_above_500": round(float(lengths[lengths > _LONG].sum() / lengths.sum()), 3),
        f"{name}_same_with_sentencex_alone": round(float(plain[plain > _LONG].sum() / plain.sum()), 3),
    }


def signature_figures(inputs: InputOptions) -> dict[str, float]:
    """MinHash of the same word 5-grams by rensa, and by datasketch where that is installed."""
    import rensa

    hasher = WordHasher(5)
    documents = read(inputs)
    characters = sum(len(sentence) for document in documents for sentence in document.sentences)
    sets = [np.unique(hasher.ngrams([w for s in d.sentences for w in hasher.words(s)])) for d in documents]
    flat, offsets = np.concatenate(sets), np.cumsum([0, *map(len, sets)]).astype(np.uint64)
    figures = {
        "minhash_rensa": speed(
            characters, lambda: rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, 128, 1).to_rows()
        )
    }
    try:
        import datasketch
    except ImportError:
        return figures

    def by_datasketch() -> None:
        for ngrams in sets:
            sketch = datasketch.MinHash(num_perm=128, hashfunc=lambda ngram: ngram)
            sketch.update_batch(ngrams >> np.uint64(32))

    return figures | {"minhash_datasketch": speed(characters, by_datasketch)}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("sources", __doc__)
    parser.add_argument("--books", nargs="+", required=True, help="plain text or EPUB books, or quoted globs of them")
    parser.add_argument("--wikipedia", nargs="+", required=True, help="Wikipedia dumps, or quoted globs of them")
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures both and prints the figures."""
    books = InputOptions(books=tuple(arguments.books))
    wikipedia = InputOptions(wikipedia=tuple(arguments.wikipedia))
    figures = text_figures(books, "books") | text_figures(wikipedia, "wikipedia") | signature_figures(wikipedia)
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
