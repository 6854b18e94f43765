"""Documents kept in a file, to be read again as they are: the files of a parsed corpus.

One Arrow IPC file a split, one row a document, in the order of reading; beside it a sidecar (JSON) with the counters of
the split and the file's hash, written last: where it lies, the split is done.

Buffers are compressed by zstd: of Arrow's codecs the one that makes the smaller files, and reading takes no longer
(`python -m benchmarks.parsed_corpus` measures both).
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from preprocessing.atomic_file import replacing, write_text
from preprocessing.documents.document import Document
from preprocessing.errors import of_system
from preprocessing.sources.identity import content_hash
from preprocessing.sources.parsed_corpus import damaged_documents
from preprocessing.sources.split import Split
from preprocessing.storage import Location, arrow_source, location
from preprocessing.tally import DOCUMENTS_OUT, Tally

# Characters of text in a record batch, about: they bound the memory of who writes and who reads.
BATCH_CHARACTERS = 1 << 20

PARSED_COUNTER = "parsed_corpus.documents"
"""Documents that were read from a parsed corpus."""

_NAMES = ("source", "file", "locator", "title")
SCHEMA = pa.schema([*((name, pa.string()) for name in _NAMES), ("sentences", pa.list_(pa.string()))])
CODEC, LEVEL = "zstd", 3


def write_parsed(documents: Iterable[Document], target: Location, key: str, tally: Tally) -> None:
    """Writes the documents of the split `key` to `target`, and then the sidecar, with what `tally` then counts.

    Raises PreprocessingError when that is not possible, and what `documents` raises.
    """
    written = 0
    with replacing(target) as temporary:
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec(CODEC, LEVEL), use_threads=False)
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, SCHEMA, options=options) as writer:
            for batch in batches(documents):
                writer.write_batch(batch)
                written += batch.num_rows
        size, content = temporary.stat().st_size, content_hash(temporary)
    sidecar = {"split": key, "documents": written, "bytes": size, "content": content, "tally": tally.to_json()}
    write_text(target.with_suffix(".json"), json.dumps(sidecar, sort_keys=True))


def read_parsed(split: Split, tally: Tally) -> Iterator[Document]:
    """The documents of a split of a parsed corpus, in order; memory is bounded by a batch.

    What parsing counted is added to `tally`, apart from the documents that came out: whoever takes them counts those.
    Raises PreprocessingError when a byte is another one than when the corpus was parsed.
    """
    path = location(split.path)
    try:
        sidecar = path.with_suffix(".json").read_bytes()
        if sidecar_hash(sidecar) != split.parsed:
            raise damaged_documents(path)
        counted = json.loads(sidecar)
        if content_hash(path) != counted["content"]:
            raise damaged_documents(path)
        found = Tally.from_json(counted["tally"])
        tally.merge(found)
        tally.count(DOCUMENTS_OUT, -found.documents_out)
        tally.count(PARSED_COUNTER, counted["documents"])
        with arrow_source(path) as source:
            reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(use_threads=False))
            for number in range(reader.num_record_batches):
                yield from documents_in(reader.get_batch(number))
    except FileNotFoundError as error:
        raise damaged_documents(path) from error
    except OSError as error:
        raise of_system(error, f"--corpus: {path} cannot be read ({error.strerror or error}); mend that.") from error


def sidecar_hash(content: bytes) -> str:
    """32 hexadecimal digits that stand for a sidecar, and by the hash in it for the file of documents."""
    return xxhash.xxh3_128_hexdigest(content)


def read_sidecar(content: bytes) -> dict[str, Any]:
    """What a sidecar says: `split`, `documents`, `bytes`, `content`, `tally`."""
    found: dict[str, Any] = json.loads(content)
    return found


def batches(documents: Iterable[Document]) -> Iterator[pa.RecordBatch]:
    """Record batches of `SCHEMA`, of `BATCH_CHARACTERS` or one document more."""
    held: list[Document] = []
    characters = 0
    for document in documents:
        held.append(document)
        characters += sum(map(len, document.sentences))
        if characters >= BATCH_CHARACTERS:
            yield _batch(held)
            held, characters = [], 0
    if held:
        yield _batch(held)


def _batch(documents: list[Document]) -> pa.RecordBatch:
    offsets = np.zeros(len(documents) + 1, np.int32)
    offsets[1:] = np.cumsum([len(document.sentences) for document in documents])
    sentences = pa.array([sentence for document in documents for sentence in document.sentences], pa.string())
    columns = [pa.array([getattr(document, name) for document in documents], pa.string()) for name in _NAMES]
    return pa.record_batch([*columns, pa.ListArray.from_arrays(pa.array(offsets), sentences)], schema=SCHEMA)


def documents_in(batch: pa.RecordBatch) -> Iterator[Document]:
    """The documents of a record batch of `batches`."""
    column = batch.column("sentences")
    sentences, offsets = column.flatten().to_pylist(), column.offsets.to_pylist()
    names = [batch.column(name).to_pylist() for name in _NAMES]
    for row, (source, file, locator, title) in enumerate(zip(*names, strict=True)):
        yield Document(source, file, locator, title, tuple(sentences[offsets[row] : offsets[row + 1]]))
