"""Documents that share runs of words with evaluation data: reported, and by option dropped.

As in GPT-3 (Brown et al. 2020, appendix C): text is lower-cased, everything but letters and digits is left out, and 13
words in a row that also stand in a dev or test file make a document contaminated. Examples of fewer words cannot be
found this way.

Memory: 8 bytes an n-gram of the evaluation files, and a 512 KiB filter in front of them, in every process.
"""

import csv
import functools
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from preprocessing.documents.document import Document
from preprocessing.documents.identity import evaluation_files
from preprocessing.documents.options import DecontaminationOptions
from preprocessing.documents.word_ngrams import WordHasher
from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import detect_encoding
from preprocessing.sources.identity import stamp
from preprocessing.storage import Location, location
from preprocessing.tally import Tally

_FILTER_BITS = 22
_CSV_FIELD_LIMIT = 1 << 24


class Decontaminator:
    """Knows the n-grams of the evaluation files."""

    def __init__(self, texts: Iterable[tuple[str, str]], ngram_words: int, *, drop: bool) -> None:
        """`texts`: (file name, text of one field) pairs. `drop`: whether contaminated documents are to be dropped."""
        self._hasher = WordHasher(ngram_words)
        self._drop = drop
        self.files: list[str] = []
        parts: list[np.ndarray] = []
        origins: list[np.ndarray] = []
        for file, text in texts:
            if not self.files or self.files[-1] != file:
                self.files.append(file)
            grams = self._hasher.ngrams(self._hasher.words(text))
            parts.append(grams)
            origins.append(np.full(len(grams), len(self.files) - 1, np.uint16))
        every = np.concatenate([np.empty(0, np.uint64), *parts])
        self._known, first = np.unique(every, return_index=True)
        self._origin = np.concatenate([np.empty(0, np.uint16), *origins])[first]
        self._filter = np.zeros(1 << _FILTER_BITS, bool)
        self._filter[self._slot(self._known)] = True

    @classmethod
    def load(cls, options: DecontaminationOptions, language: str = "en") -> "Decontaminator":
        """Reads the evaluation files, once a process as long as they stay the same.

        `language` decides what a file that is not UTF-8 may be in.

        PreprocessingError when one is missing or none has n words.
        """
        return _load(options, tuple((path, stamp(path)) for path, _ in evaluation_files(options)), language)

    @property
    def ngrams(self) -> int:
        """Distinct n-grams in the evaluation files."""
        return len(self._known)

    def matches(self, sentences: Iterable[str]) -> list[tuple[str, str]]:
        """(evaluation file, shared n-gram) for each place where the document shares one; empty when it is clean."""
        words = [word for sentence in sentences for word in self._hasher.words(sentence)]
        grams = self._hasher.ngrams(words)
        candidates = np.flatnonzero(self._filter[self._slot(grams)])
        if not len(candidates):
            return []
        places = np.searchsorted(self._known, grams[candidates])
        places[places == len(self._known)] = 0
        found = self._known[places] == grams[candidates]
        return [
            (self.files[self._origin[place]], b" ".join(words[start : start + self._hasher.ngram_words]).decode())
            for start, place in zip(candidates[found].tolist(), places[found].tolist(), strict=True)
        ]

    def is_dropped(self, document: Document, tally: Tally) -> bool:
        """Counts a contaminated document (`contaminated.documents`, `contaminated.by.<file>`); whether it is dropped.

        A dropped one is also a rejected record, with the first n-gram that gave it away.
        """
        matches = self.matches(document.sentences)
        if not matches:
            return False
        tally.count("contaminated.documents")
        for file in sorted({file for file, _ in matches}):
            tally.count(f"contaminated.by.{file}")
        if self._drop:
            file, ngram = matches[0]
            tally.reject(f"{document.file} {document.locator}", f"shares {ngram!r} with {file}", kind="contaminated")
        return self._drop

    @staticmethod
    def _slot(grams: np.ndarray) -> np.ndarray:
        return (grams >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)


@functools.lru_cache(maxsize=2)
def _load(
    options: DecontaminationOptions, stamps: tuple[tuple[str, tuple[int, int]], ...], language: str
) -> Decontaminator:
    loaded = Decontaminator(
        ((name, text) for path, name in evaluation_files(options) for text in _fields(location(path), language)),
        options.ngram_words,
        drop=options.action == "drop",
    )
    if not loaded.ngrams:
        raise PreprocessingError(
            f"The evaluation files {', '.join(options.files)} hold no text of {options.ngram_words} words in a row; "
            "check them, or lower --decontamination.ngram-words."
        )
    return loaded


def _fields(path: Location, language: str) -> Iterator[str]:
    """Every text of an evaluation file: the string values of JSON, the fields of tables, else the whole text."""
    encoding = detect_encoding(lambda: path.open("rb"), str(path), language, option=None)
    with path.open(encoding=encoding, newline="") as stream:
        if path.suffix in (".jsonl", ".json"):
            yield from _json_fields(path, stream)
        elif path.suffix == ".tsv":
            for line in stream:  # GLUE's tables are not quoted
                yield from line.rstrip("\r\n").split("\t")
        elif path.suffix == ".csv":
            csv.field_size_limit(_CSV_FIELD_LIMIT)
            for row in csv.reader(stream):
                yield from row
        else:
            yield stream.read()


def _json_fields(path: Location, stream: io.TextIOBase) -> Iterator[str]:
    text = stream.read()
    try:
        documents = [json.loads(text)]
    except json.JSONDecodeError:
        try:
            documents = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            raise PreprocessingError(f"{path} is neither JSON nor JSON lines ({error}).") from error
    pending: list[Any] = documents
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
