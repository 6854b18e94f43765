"""The first half of a build, for one split: documents → tokens, dealt to buckets, in one intermediate file.

The file is Arrow IPC with record batches of one bucket each; beside it a sidecar (JSON) with the counters, written
last: where it lies, the split is done.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing, write_text
from preprocessing.build.configuration import Job
from preprocessing.build.exact_duplicates import content_key
from preprocessing.documents.document import Document
from preprocessing.documents.reading import read_documents
from preprocessing.sources.split import Split
from preprocessing.tally import DOCUMENTS_OUT, DROPPED, Tally
from preprocessing.tokens.corpus import Array, offsets_of
from preprocessing.tokens.tokenizer import Tokenizer
from preprocessing.tokens.word_segmentation import load_word_segmenter, segmented_word_starts

# Characters of text that are tokenised in one call, and tokens that are held before they are written: they bound a
# worker's memory, whatever the size of the split.
ENCODED_CHARACTERS = 4 << 20
HELD_TOKENS = 4 << 20

_METADATA = ("source", "file", "locator", "title")


def extract_split(split: Split, job: Job) -> list[tuple[int, str]]:
    """Writes the split's intermediate file and sidecar, unless they are there; returns its references.

    A reference is (bucket, "file:batch numbers"). Raises PreprocessingError for an input that cannot be read or an
    output that cannot be written.
    """
    sidecar, target = job.split_path(split.key, ".json"), job.split_path(split.key, ".arrow")
    if not (sidecar.is_file() and target.is_file()):
        tally = Tally()
        tokenizer = loaded_tokenizer(job.tokenizer_path)
        documents = read_documents(split, job.configuration.source, tally)
        batches = write_batches(documents, target, tokenizer, job, tally)
        content = {"split": split.key, "batches": batches, "tally": tally.to_json()}
        write_text(sidecar, json.dumps(content, sort_keys=True))
    return references_in(sidecar)


def references_in(sidecar: Path) -> list[tuple[int, str]]:
    """What a split's intermediate file holds, as (bucket, "file:batch numbers"), by bucket."""
    numbers: dict[int, list[int]] = {}
    for number, (bucket, _) in enumerate(read_sidecar(sidecar)["batches"]):
        numbers.setdefault(bucket, []).append(number)
    file = sidecar.with_suffix(".arrow").name
    return [(bucket, f"{file}:{','.join(map(str, found))}") for bucket, found in sorted(numbers.items())]


def read_sidecar(path: Path) -> dict[str, Any]:
    """A sidecar's content; `batches` lists (bucket, documents) of each record batch in the file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_batches(
    documents: Iterable[Document], target: Path, tokenizer: Tokenizer, job: Job, tally: Tally
) -> list[tuple[int, int]]:
    """Tokenises the documents into `target`; returns (bucket, documents) of each record batch in it.

    A document without any token is dropped and counted.
    """
    batches: list[tuple[int, int]] = []
    held: list[pa.RecordBatch] = []
    with (
        replacing(target) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, intermediate_schema(tokenizer)) as writer,
    ):
        for batch in _tokenised(documents, tokenizer, job, tally):
            held.append(batch)
            if sum(len(other.column("tokens").values) for other in held) >= HELD_TOKENS:
                batches += _deal(held, writer, job.configuration.buckets)
                held = []
        batches += _deal(held, writer, job.configuration.buckets)
    return batches


def intermediate_schema(tokenizer: Tokenizer) -> pa.Schema:
    """The columns of intermediate files: one row a document."""
    ids = pa.uint16() if tokenizer.id_dtype is np.uint16 else pa.uint32()
    return pa.schema(
        [
            ("key_high", pa.uint64()),
            ("key_low", pa.uint64()),
            *((name, pa.string()) for name in _METADATA),
            ("text_bytes", pa.uint64()),
            ("unknown_tokens", pa.uint32()),
            ("sentence_lengths", pa.list_(pa.uint32())),
            ("tokens", pa.list_(ids)),
            ("word_starts", pa.list_(pa.bool_())),
        ]
    )


@functools.lru_cache(maxsize=1)
def loaded_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer, loaded once a process."""
    return Tokenizer.load(path)


def _tokenised(documents: Iterable[Document], tokenizer: Tokenizer, job: Job, tally: Tally) -> Iterator[pa.RecordBatch]:
    gathered: list[Document] = []
    characters = 0
    for document in documents:
        gathered.append(document)
        characters += sum(map(len, document.sentences))
        if characters >= ENCODED_CHARACTERS:
            yield _encode(gathered, tokenizer, job, tally)
            gathered, characters = [], 0
    if gathered:
        yield _encode(gathered, tokenizer, job, tally)


def _encode(documents: list[Document], tokenizer: Tokenizer, job: Job, tally: Tally) -> pa.RecordBatch:
    """One record batch of the documents that have tokens, in their order. Sentences without tokens vanish."""
    sentences = [sentence for document in documents for sentence in document.sentences]
    try:
        text_bytes = np.array([len(sentence.encode()) for sentence in sentences], np.int64)
    except UnicodeEncodeError:  # half a surrogate pair, as JSON can spell it, is no text in any encoding
        return _encode([_without_surrogates(document) for document in documents], tokenizer, job, tally)
    ids, offsets = tokenizer.encode(sentences)
    sentence_tokens = np.diff(offsets)
    owner = np.repeat(np.arange(len(documents)), [len(document.sentences) for document in documents])
    document_tokens = np.bincount(owner, weights=sentence_tokens, minlength=len(documents)).astype(np.int64)
    kept_sentences = sentence_tokens > 0
    sentence_counts = np.bincount(owner[kept_sentences], minlength=len(documents))
    token_owner = np.repeat(np.arange(len(documents)), document_tokens)
    unknown = np.bincount(token_owner[ids == tokenizer.unk_id], minlength=len(documents))
    keys = [content_key(document) for document in documents]
    hook = job.configuration.examples.word_segmenter
    words = _word_starts(sentences, hook, tokenizer) if hook else None
    columns = {
        "key_high": np.array([high for high, _ in keys], np.uint64),
        "key_low": np.array([low for _, low in keys], np.uint64),
        **{name: [getattr(document, name) for document in documents] for name in _METADATA},
        "text_bytes": np.bincount(owner, weights=text_bytes, minlength=len(documents)).astype(np.uint64),
        "unknown_tokens": unknown.astype(np.uint32),
        "sentence_lengths": _ragged(sentence_counts, sentence_tokens[kept_sentences].astype(np.uint32)),
        "tokens": _ragged(document_tokens, ids),
        "word_starts": _ragged(document_tokens, words) if words is not None else [[]] * len(documents),
    }
    schema = intermediate_schema(tokenizer)
    batch = pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)
    empty = int(np.count_nonzero(document_tokens == 0))
    if empty:
        tally.count(DROPPED + "no_tokens", empty)
        tally.count(DOCUMENTS_OUT, -empty)
        batch = batch.filter(pa.array(document_tokens > 0))
    return batch


def _without_surrogates(document: Document) -> Document:
    def mended(text: str) -> str:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    return Document(
        document.source,
        mended(document.file),
        mended(document.locator),
        mended(document.title),
        tuple(mended(sentence) for sentence in document.sentences),
    )


def _word_starts(sentences: list[str], hook: str, tokenizer: Tokenizer) -> Array:
    segmenter = load_word_segmenter(hook)
    starts = [segmented_word_starts(sentence, segmenter, tokenizer) for sentence in sentences]
    return np.concatenate([np.empty(0, np.bool_), *starts])


def _ragged(lengths: Array, values: Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets_of(lengths).astype(np.int32)), pa.array(values))


def _deal(held: list[pa.RecordBatch], writer: Any, buckets: int) -> list[tuple[int, int]]:
    """Writes one record batch for every bucket that occurs; returns (bucket, documents) of each."""
    if not held:
        return []
    table = pa.Table.from_batches(held)
    bucket = table.column("key_high").to_numpy() % np.uint64(buckets)
    order = np.argsort(bucket, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    found, counts = np.unique(bucket, return_counts=True)
    begin = 0
    for count in counts.tolist():
        for batch in table.slice(begin, count).to_batches():
            writer.write_batch(batch)
        begin += count
    return list(zip(found.tolist(), counts.tolist(), strict=True))
