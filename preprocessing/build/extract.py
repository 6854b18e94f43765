"""The first half of a build, for one split: documents → tokens, dealt to partitions, in one intermediate file.

The file is Arrow IPC with record batches of one partition each; beside it a sidecar (JSON) with the counters, written
last: where it lies, the split is done.
"""

import functools
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.build.configuration import Job
from preprocessing.build.exact_duplicates import measured_content
from preprocessing.build.partitions import deal, held
from preprocessing.build.references import read_sidecar, write_sidecar
from preprocessing.documents.bad_share import BadShare
from preprocessing.documents.document import Document
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.split import Split
from preprocessing.storage import Location
from preprocessing.tally import DOCUMENTS_OUT, DROPPED, Tally
from preprocessing.tokens.corpus import Array, offsets_of
from preprocessing.tokens.tokenizer import Tokenizer
from preprocessing.tokens.word_segmentation import load_word_segmenter, segmented_word_starts

# Characters of text that are tokenised in one call, and tokens that are held before they are written: they bound a
# worker's memory, whatever the size of the split.
ENCODED_CHARACTERS = 4 << 20
HELD_TOKENS = 4 << 20

_METADATA = ("source", "file", "locator", "title")


def extract_split(split: Split, job: Job) -> Tally:
    """Writes the split's intermediate file and sidecar, unless they are there; returns what became of its documents.

    Raises PreprocessingError for an input that cannot be read or an output that cannot be written.
    """
    sidecar, target = job.split_path(split.key, ".json"), job.split_path(split.key, ".arrow")
    done = read_sidecar(sidecar)
    if done is not None and target.is_file():
        return Tally.from_json(done["tally"])
    tally = Tally()
    tokenizer = loaded_tokenizer(job)
    documents = read_documents(split, job.configuration.source, tally)
    dealt = write_batches(documents, target, tokenizer, job, tally)
    write_sidecar(sidecar, dealt, split=split.key, tally=tally.to_json(), bad=BadShare.plain(split, tally))
    return tally


def write_batches(
    documents: Iterable[Document], target: Location, tokenizer: Tokenizer, job: Job, tally: Tally
) -> list[tuple[int, int]]:
    """Tokenises the documents into `target`; returns (partition, documents) of each record batch in it.

    A document without any token is dropped and counted.
    """
    partitions = job.partitions
    dealt: list[tuple[int, int]] = []
    with (
        replacing(target) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, intermediate_schema(tokenizer)) as writer,
    ):
        for table in held(_tokenised(documents, tokenizer, job, tally), HELD_TOKENS):
            dealt += deal(table, partitions.partition_of(table), writer)
    return dealt


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


def loaded_tokenizer(job: Job) -> Tokenizer:
    """The tokenizer of a build, loaded once a process. Raises PreprocessingError where its files are another's."""
    # By its hash too: a process may live longer than a build, and the next one may write to the same folder.
    return _tokenizer(job.tokenizer_path, job.configuration.tokenizer_fingerprint)


@functools.lru_cache(maxsize=1)
def _tokenizer(path: Location, fingerprint: str) -> Tokenizer:
    tokenizer = Tokenizer.load(path)
    if tokenizer.fingerprint != fingerprint:
        raise PreprocessingError(
            f"{path} does not hold the tokenizer that the build was started with; run the same command again, which "
            "writes it anew."
        )
    return tokenizer


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
    try:
        contents = [measured_content(document) for document in documents]
    except UnicodeEncodeError:  # half a surrogate pair, as JSON can spell it, is no text in any encoding
        return _encode([_without_surrogates(document) for document in documents], tokenizer, job, tally)
    sentences = [sentence for document in documents for sentence in document.sentences]
    ids, offsets = tokenizer.encode(sentences)
    sentence_tokens = np.diff(offsets)
    owner = np.repeat(np.arange(len(documents)), [len(document.sentences) for document in documents])
    document_tokens = np.bincount(owner, weights=sentence_tokens, minlength=len(documents)).astype(np.int64)
    kept_sentences = sentence_tokens > 0
    sentence_counts = np.bincount(owner[kept_sentences], minlength=len(documents))
    token_owner = np.repeat(np.arange(len(documents)), document_tokens)
    unknown = np.bincount(token_owner[ids == tokenizer.unk_id], minlength=len(documents))
    hook = job.configuration.examples.word_segmenter
    words = _word_starts(sentences, hook, tokenizer) if hook else None
    columns = {
        "key_high": np.array([content.key_high for content in contents], np.uint64),
        "key_low": np.array([content.key_low for content in contents], np.uint64),
        **{name: [getattr(document, name) for document in documents] for name in _METADATA},
        "text_bytes": np.array([content.text_bytes for content in contents], np.uint64),
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
