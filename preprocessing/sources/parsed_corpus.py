"""A parsed corpus as an input: `corpus.json` in the folder that `preprocessing/corpus.py` wrote.

    corpus.json     written last: the options, what was read, a record for each file of documents, all counters
    documents/      split-KEY.arrow: the documents of one split; split-KEY.json beside it: its counters and hash

A record says what its documents were parsed from, so they are planned, named and counted as if they were read from
there; where the folder lies does not matter.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError, of_system, raise_all
from preprocessing.sources.split import Split
from preprocessing.storage import Location, RemotePath, location

CORPUS_NAME = "corpus.json"
DOCUMENTS_FOLDER = "documents"

# Goes up whenever the same bytes and options come to make other documents, or the files change their layout, so that
# what an older program parsed is not taken for what this one would.
CORPUS_VERSION = 2


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PieceRecord(_Record):
    """A range of a raw file, as in `Split`."""

    source: str
    file: str
    start: int
    end: int
    compression: str
    content: str
    bytes: int


class SplitRecord(_Record):
    """One file of documents: the `key` of the split that they were parsed from, and its pieces."""

    key: str
    pieces: tuple[PieceRecord, ...]
    documents: int
    bytes: int
    """Size of the Arrow file."""
    sidecar: str
    """Hash of the sidecar, which holds the hash of the Arrow file."""

    @classmethod
    def of(cls, split: Split, documents: int, size: int, sidecar: str) -> "SplitRecord":
        """The record of a split that was parsed."""
        pieces = tuple(
            PieceRecord(**{name: getattr(piece, name) for name in PieceRecord.model_fields}) for piece in split.pieces()
        )
        return cls(key=split.key, pieces=pieces, documents=documents, bytes=size, sidecar=sidecar)

    def raw_split(self) -> Split:
        """What the documents were parsed from, without paths."""
        first, *more = (Split(path="", **piece.model_dump()) for piece in self.pieces)
        return _joined(first, more)

    def split(self, folder: Location) -> Split:
        """The split that reads the documents from the corpus in `folder`."""
        path = str(documents_path(folder, self.key))
        first, *more = (Split(path=path, parsed=self.sidecar, **piece.model_dump()) for piece in self.pieces)
        return _joined(first, more)


class ParsedCorpus(_Record):
    """`corpus.json`: where it lies, the corpus is complete."""

    version: int
    options: dict[str, Any]
    """What the documents were made with, as `parsed_identity` gives it."""
    inputs_hash: str
    splits: tuple[SplitRecord, ...]
    tally: dict[str, Any]
    """Merged `Tally` of all splits."""

    @property
    def sources(self) -> frozenset[str]:
        """The sources that the documents were parsed from."""
        return frozenset(piece.source for split in self.splits for piece in split.pieces)

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """(source, file) of everything that was parsed."""
        return frozenset((piece.source, piece.file) for split in self.splits for piece in split.pieces)

    def write(self, folder: Location) -> None:
        """Writes `corpus.json` into `folder`."""
        write_text(folder / CORPUS_NAME, self.model_dump_json(indent=1) + "\n")

    def missing(self, folder: Location) -> list[Location]:
        """The files of documents that are not in `folder` with their full size and their sidecar."""
        sizes = {documents_path(folder, split.key): split.bytes for split in self.splits}
        if isinstance(folder, RemotePath):
            return _missing_remote(folder, sizes)
        return [path for path, size in sizes.items() if not _is_whole(path, size)]

    @classmethod
    def read(cls, folder: Location) -> "ParsedCorpus":
        """Reads `folder`/corpus.json. PreprocessingError where there is none, or it is damaged or of another version.

        The files of documents are not looked at.
        """
        path = folder / CORPUS_NAME
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["version"] != CORPUS_VERSION:
                raise PreprocessingError(
                    f"--corpus {folder} was parsed by version {data['version']} of the program's rules, these are "
                    f"version {CORPUS_VERSION}; parse the raw inputs again into another folder."
                )
            corpus = cls.model_validate(data)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise PreprocessingError(
                f"--corpus {folder} holds no {CORPUS_NAME}, so it is no parsed corpus or not complete; give the "
                "--output of preprocessing/corpus.py, or run that same command again to complete it."
            ) from error
        except OSError as error:
            raise of_system(error, f"--corpus {path} cannot be read ({error.strerror}); mend that.") from error
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise _damaged(path) from error
        if not corpus.splits or any(not split.pieces or split.raw_split().key != split.key for split in corpus.splits):
            raise _damaged(path)
        return corpus


def documents_path(folder: Location, key: str) -> Location:
    """The Arrow file with the documents of the raw split `key`; its sidecar has the suffix .json."""
    return folder / DOCUMENTS_FOLDER / f"split-{key}.arrow"


def plan_corpora(folders: Sequence[str], raw: Iterable[Split]) -> list[Split]:
    """A split for each file of documents of the corpora, in their order; `raw` are the splits read besides.

    Raises PreprocessingError for a folder that is no complete corpus, and where one file would be read twice.
    """
    splits: list[Split] = []
    places = {(piece.source, piece.file): f"--{piece.source}" for split in raw for piece in split.pieces()}
    faults: list[PreprocessingError] = []
    for folder in folders:
        place = location(folder, "--corpus")
        corpus = ParsedCorpus.read(place)
        for source, file in sorted(corpus.names):
            if (source, file) in places:
                raise PreprocessingError(
                    f"{source} {file} is read twice, from --corpus {folder} and from {places[source, file]}; leave one "
                    "out."
                )
            places[source, file] = f"--corpus {folder}"
        faults += [damaged_documents(path) for path in corpus.missing(place)]
        splits += [record.split(place) for record in corpus.splits]
    raise_all(faults)
    return splits


def damaged_documents(path: Location) -> PreprocessingError:
    """The one sentence for a file of documents that is not what `corpus.json` says."""
    return PreprocessingError(
        f"--corpus: {path} or the file of its counters is missing or damaged; remove it and run the command again that "
        "parsed the corpus, which makes this file anew."
    )


def _damaged(path: Location) -> PreprocessingError:
    return PreprocessingError(
        f"--corpus {path} is damaged; remove it and run the command again that parsed the corpus, which makes it anew."
    )


def _is_whole(path: Location, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size and path.with_suffix(".json").is_file()


def _missing_remote(folder: RemotePath, sizes: Mapping[Location, int]) -> list[Location]:
    """The same by listing the folder, a thousand files in a request."""
    found = (folder / DOCUMENTS_FOLDER).sizes()
    return [
        path
        for path, size in sizes.items()
        if found.get(path.name) != size or path.with_suffix(".json").name not in found
    ]


def _joined(first: Split, more: Sequence[Split]) -> Split:
    return replace(first, more=tuple(more))
