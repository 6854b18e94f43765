"""MinHash signatures of a split's documents, written to one file: the first step of finding near-duplicates.

`rensa` (MIT, Rust) computes them: several times as fast as `datasketch`, without further dependencies, and its
estimates have the error that theory gives for the number of permutations (a test checks that). It is an optional
dependency: `pip install 'bert-pretraining[near-duplicates]'`.
"""

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from preprocessing.atomic_file import replacing, write_text
from preprocessing.documents.bad_share import BadShare
from preprocessing.documents.document import Document
from preprocessing.documents.drop_lists import document_key
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.documents.word_ngrams import WordHasher
from preprocessing.errors import PreprocessingError, of_system
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

_DOCUMENTS_AT_A_TIME = 1_000
_WORDS_AT_A_TIME = 1 << 21


class NearDuplicateOptions(BaseModel):
    """When two documents are near-duplicates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(
        0.8,
        gt=0,
        lt=1,
        description="Jaccard similarity of their word n-grams from which two documents are near-duplicates",
    )
    ngram_words: int = Field(5, ge=1, description="words in an n-gram")
    permutations: int = Field(128, ge=16, le=1024, description="numbers in a document's signature (4 bytes each)")
    seed: int = Field(1, ge=0, description="seed of the permutations")


def signature_schema(permutations: int) -> pa.Schema:
    """One row, one document: its key and names, its length in characters, its signature as `permutations` uint32."""
    return pa.schema(
        [
            ("key", pa.binary(16)),
            ("characters", pa.uint64()),
            ("signature", pa.binary(4 * permutations)),
            ("source", pa.string()),
            ("file", pa.string()),
            ("locator", pa.string()),
        ]
    )


def write_signatures(
    split: Split, source: DocumentOptions, options: NearDuplicateOptions, target: Path, tally: Tally
) -> Path:
    """Writes the Arrow IPC file `target` for the split, unless it is there; documents below n words are left out.

    What of the split was bad goes into a file beside it, which `read_bad_share` reads. `tally` counts the split's
    documents, and those left out as `no_signature`. Memory: 1,000 documents or 2 million words at a time. Raises
    PreprocessingError when `rensa` is not installed.
    """
    sidecar = target.with_suffix(".json")
    if target.exists() and sidecar.exists():
        return target
    rensa = _rensa()
    hasher = WordHasher(options.ngram_words)
    schema = signature_schema(options.permutations)
    held: list[tuple[Document, np.ndarray]] = []
    words_held = 0
    with replacing(target) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        for document in read_documents(split, source, tally):
            words = [word for sentence in document.sentences for word in hasher.words(sentence)]
            ngrams = np.unique(hasher.ngrams(words))
            if not len(ngrams):
                tally.count("no_signature")
                continue
            held.append((document, ngrams))
            words_held += len(words)
            if len(held) == _DOCUMENTS_AT_A_TIME or words_held > _WORDS_AT_A_TIME:
                writer.write_batch(_batch(rensa, held, schema, options))
                held, words_held = [], 0
        if held:
            writer.write_batch(_batch(rensa, held, schema, options))
        # Before the file itself, which says by being there that both are.
        write_text(sidecar, json.dumps(BadShare.plain(split, tally), ensure_ascii=False, sort_keys=True) + "\n")
    return target


def read_bad_share(target: Path) -> dict[str, Any]:
    """What `write_signatures` counted as bad, for `BadShare.add_plain`. Raises PreprocessingError."""
    sidecar = target.with_suffix(".json")
    try:
        found = json.loads(sidecar.read_text(encoding="utf-8"))
    except OSError as error:
        raise of_system(error, f"{sidecar} cannot be read ({error}); run the same command again.") from error
    except ValueError as error:
        raise PreprocessingError(f"{sidecar} is damaged ({error}); remove it and run again.") from error
    assert isinstance(found, dict)  # it is written by this module
    return found


def signature_batches(file: Path, permutations: int) -> Iterator[pa.RecordBatch]:
    """The record batches of a signature file, memory-mapped.

    Raises PreprocessingError when it is missing, damaged, or was made with another number of permutations.
    """
    try:
        with pa.memory_map(str(file)) as stream:
            reader = pa.ipc.open_file(stream)
            batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
    except FileNotFoundError as error:
        raise PreprocessingError(f"{file} is missing; run the same command again.") from error
    except OSError as error:
        raise of_system(error, f"{file} cannot be read ({error}); run the same command again.") from error
    except pa.ArrowException as error:
        raise PreprocessingError(f"{file} is not a signature file ({error}); remove it and run again.") from error
    width = reader.schema.field("signature").type.byte_width // 4 if "signature" in reader.schema.names else 0
    if width != permutations:
        raise PreprocessingError(
            f"{file} holds signatures of {width} permutations, not {permutations}; remove it and run again."
        )
    yield from batches


def signature_matrix(batch: pa.RecordBatch) -> np.ndarray:
    """uint32 [rows, permutations]: the signatures of a batch, where they lie."""
    column = batch.column("signature")
    permutations = column.type.byte_width // 4
    flat = np.frombuffer(column.buffers()[1], "<u4", len(column) * permutations, column.offset * column.type.byte_width)
    return flat.reshape(len(column), permutations)


def _batch(
    rensa: types.ModuleType,
    held: list[tuple[Document, np.ndarray]],
    schema: pa.Schema,
    options: NearDuplicateOptions,
) -> pa.RecordBatch:
    offsets = np.zeros(len(held) + 1, np.uint64)
    offsets[1:] = np.cumsum([len(ngrams) for _, ngrams in held])
    flat = np.concatenate([ngrams for _, ngrams in held])
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, options.permutations, options.seed)
    signatures = np.array(matrix.to_rows(), "<u4")
    documents = [document for document, _ in held]
    columns = [
        pa.array([document_key(d.source, d.file, d.locator) for d in documents], pa.binary(16)),
        pa.array([sum(map(len, d.sentences)) for d in documents], pa.uint64()),
        pa.array([row.tobytes() for row in signatures], pa.binary(4 * options.permutations)),
        pa.array([d.source for d in documents], pa.string()),
        pa.array([d.file for d in documents], pa.string()),
        pa.array([d.locator for d in documents], pa.string()),
    ]
    return pa.record_batch(columns, schema=schema)


def _rensa() -> types.ModuleType:
    try:
        import rensa
    except ImportError as error:
        raise PreprocessingError(
            "Near-duplicates need the package rensa; install it by: pip install 'bert-pretraining[near-duplicates]'."
        ) from error
    return rensa
