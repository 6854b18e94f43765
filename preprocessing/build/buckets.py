"""The second half of a build, for one bucket: intermediate files → shards of every length, and the document table.

Exact duplicates meet here, because the bucket is chosen by content. Documents are sorted by their content's hash, so
nothing depends on which file, worker or batch they came from.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from preprocessing.atomic_file import write_text
from preprocessing.build.configuration import Job
from preprocessing.build.exact_duplicates import without_exact_duplicates
from preprocessing.build.extract import loaded_tokenizer
from preprocessing.build.references import BatchReference, read_batches
from preprocessing.examples.default_recipe import build_examples
from preprocessing.examples.reference_examples import build_reference_examples
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics
from preprocessing.shards import (
    AnyFile,
    DocumentTableRecord,
    ShardRecord,
    documents_path,
    duplicates_path,
    shard_path,
    statistics_key,
    write_documents,
    write_shard,
    write_table,
)
from preprocessing.storage import Location, RemotePath
from preprocessing.tally import DOCUMENTS_OUT, DROPPED, Tally
from preprocessing.tokens.corpus import Array, Corpus, offsets_of, word_starts
from preprocessing.tokens.tokenizer import Tokenizer

EXACT_DUPLICATE = DROPPED + "exact_duplicate"
HELDOUT_DUPLICATES = 1
_ASKED_ONE_BY_ONE = 50  # remote files; above that their folder is listed, a thousand in a request
_METADATA = ("source", "file", "locator", "title")


class BucketResult(BaseModel):
    """What became of a bucket: its sidecar, written when all its files are complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: int
    documents_in: int
    documents: DocumentTableRecord
    shards: tuple[ShardRecord, ...]
    tally: dict[str, Any]
    corpus: CorpusStatistics
    statistics: dict[str, ExampleStatistics]


def build_bucket(bucket: int, references: Sequence[BatchReference], job: Job) -> BucketResult:
    """Writes the bucket's shards, document table and sidecar, unless they are there.

    `references` name the bucket's record batches in intermediate files, at least one, in any order.
    """
    done = read_result(job, bucket)
    if done is not None:
        return done
    tokenizer = loaded_tokenizer(job)
    table = pa.Table.from_batches(read_batches(references, job.intermediate))
    documents_in = table.num_rows
    table, duplicates = without_exact_duplicates(table)
    tally = Tally()
    dropped = documents_in - table.num_rows
    tally.count(EXACT_DUPLICATE, dropped)
    tally.count(DOCUMENTS_OUT, -dropped)
    corpus = _corpus(table, tokenizer)
    heldout = _is_heldout(table, job.configuration.examples.heldout_fraction)
    metadata = job.metadata()
    buckets = job.configuration.buckets
    if dropped:
        write_table(duplicates_path(job.folder, bucket, buckets), duplicates, metadata)
    documents = write_documents(
        documents_path(job.folder, bucket, buckets), _document_table(table, corpus, heldout), metadata
    )
    sources = table.column("source").combine_chunks().dictionary_encode()
    shards = []
    statistics = {}
    for split, members in (("train", np.flatnonzero(~heldout)), ("heldout", np.flatnonzero(heldout))):
        for length in job.configuration.examples.sequence_lengths:
            record, found = _write_length(bucket, split, members, length, corpus, sources, job, tokenizer, metadata)
            shards.append(record)
            statistics[statistics_key(split, length)] = found
    result = BucketResult(
        bucket=bucket,
        documents_in=documents_in,
        documents=documents,
        shards=tuple(shards),
        tally=tally.to_json(),
        corpus=_corpus_statistics(table, corpus, sources, heldout),
        statistics=statistics,
    )
    write_text(job.bucket_path(bucket), result.model_dump_json())
    return result


def read_result(job: Job, bucket: int) -> BucketResult | None:
    """The sidecar of a bucket whose files all lie there at their full size; None where that is not so."""
    try:
        result = BucketResult.model_validate_json(job.bucket_path(bucket).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there, or damaged: pydantic's error is a ValueError
        return None
    return result if all_in_place(job.folder, (*result.shards, result.documents)) else None


def all_in_place(folder: Location, files: Iterable[AnyFile]) -> bool:
    """Whether all files lie in `folder` with their full size."""
    if isinstance(folder, RemotePath):
        files = list(files)
        if len(files) > _ASKED_ONE_BY_ONE:
            sizes = folder.sizes()
            return all(sizes.get(file.name) == file.bytes for file in files)
    paths = ((folder / file.name, file.bytes) for file in files)
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _write_length(
    bucket: int,
    split: str,
    members: Array,
    length: int,
    corpus: Corpus,
    sources: pa.DictionaryArray,
    job: Job,
    tokenizer: Tokenizer,
    metadata: dict[str, str],
) -> tuple[ShardRecord, ExampleStatistics]:
    options = job.configuration.examples
    # One pass over what is held out: evaluation gains nothing from the same documents with other masks.
    passes = options.duplicate_factor if split == "train" else HELDOUT_DUPLICATES
    build = build_reference_examples if options.recipe == "reference" else build_examples
    built = build(corpus, members, length, passes, options, tokenizer)
    path = shard_path(job.folder, split, length, bucket, job.configuration.buckets)
    record = write_shard(path, built.examples, metadata)
    rows = _by_source(sources, np.bincount(built.examples.document_a, minlength=len(sources)))
    by_source = {name: count for name, count in rows.items() if count}
    alone = int(options.objective == "next-sentence" and len(members) == 1)
    return record, built.statistics.model_copy(update={"rows_by_source": by_source, "documents_alone": alone})


def _corpus(table: pa.Table, tokenizer: Tokenizer) -> Corpus:
    def flat(name: str) -> Array:
        values: Array = table.column(name).chunk(0).flatten().to_numpy(zero_copy_only=False)
        return values

    tokens = flat("tokens")
    sentence_offsets = offsets_of(flat("sentence_lengths"))
    counts = pc.list_value_length(table.column("sentence_lengths")).to_numpy()
    given = flat("word_starts")
    return Corpus(
        tokens=tokens,
        sentence_offsets=sentence_offsets,
        document_offsets=offsets_of(counts),
        keys=table.column("key_low").to_numpy(),
        word_starts=given if len(given) else word_starts(tokens, sentence_offsets, tokenizer.is_continuation),
    )


def _is_heldout(table: pa.Table, fraction: float) -> Array:
    """bool, by document: chosen by content, so that copies of a document can never be on both sides.

    The key's lower half decides; its upper half chose the bucket.
    """
    return (table.column("key_low").to_numpy() >> np.uint64(11)).astype(np.float64) * 2.0**-53 < fraction


def _document_table(table: pa.Table, corpus: Corpus, heldout: Array) -> pa.Table:
    high, low = (table.column(name).to_pylist() for name in ("key_high", "key_low"))
    return (
        table.select(_METADATA)
        .append_column(
            "content_key", pa.array([f"{a:016x}{b:016x}" for a, b in zip(high, low, strict=True)], pa.string())
        )
        .append_column("sentences", pa.array(corpus.sentence_counts().astype(np.uint32)))
        .append_column("tokens", pa.array(corpus.token_counts().astype(np.uint32)))
        .append_column("unknown_tokens", table.column("unknown_tokens"))
        .append_column("text_bytes", table.column("text_bytes"))
        .append_column("heldout", pa.array(heldout))
    )


def _corpus_statistics(
    table: pa.Table, corpus: Corpus, sources: pa.DictionaryArray, heldout: Array
) -> CorpusStatistics:
    return CorpusStatistics(
        documents_by_source=_by_source(sources, np.ones(len(sources), np.int64)),
        sentences_by_source=_by_source(sources, corpus.sentence_counts()),
        tokens_by_source=_by_source(sources, corpus.token_counts()),
        unknown_tokens_by_source=_by_source(sources, table.column("unknown_tokens").to_numpy()),
        text_bytes_by_source=_by_source(sources, table.column("text_bytes").to_numpy()),
        heldout_documents=int(np.count_nonzero(heldout)),
    )


def _by_source(sources: pa.DictionaryArray, amounts: Array) -> dict[str, int]:
    """Source → the sum of the amounts of its documents, by name; `sources` and `amounts` are by document."""
    names = sources.dictionary.to_pylist()
    sums = np.zeros(len(names), np.int64)
    np.add.at(sums, sources.indices.to_numpy(), amounts.astype(np.int64))
    return {name: int(amount) for name, amount in sorted(zip(names, sums.tolist(), strict=True))}
