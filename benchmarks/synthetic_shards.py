"""Complete shard folders of made-up tokens, for tests and for measuring the loader at any scale.

The "language" is learnable: a token's successor is one of four, so masked tokens can be guessed from their
neighbours, and segment B of a true pair goes on where A stopped.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from preprocessing.examples.arrays import Examples
from preprocessing.examples.statistics import CorpusStatistics
from preprocessing.shards import (
    FORMAT_VERSION,
    DocumentTableRecords,
    InputRecords,
    Manifest,
    ShardRecords,
    documents_path,
    shard_path,
    write_documents,
    write_shard,
)
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer

SOURCES = ("books", "wikipedia")


TINY_MODEL = """
[model]
size = "tiny"
hidden_size = 32
intermediate_size = 64
max_position_embeddings = 32
[data]
sequence_length = 32
"""
"""The tables of a recipe that say: a model of two layers, and examples of 32 pieces, as `write_shards` makes them."""


def write_shards(
    folder: Path,
    *,
    rows: int = 200,
    heldout_rows: int = 60,
    shards: int = 2,
    lengths: tuple[int, ...] = (32,),
    words: int = 60,
    seed: int = 0,
    full_share: float = 0.8,
) -> Path:
    """Writes ``rows`` training examples per shard and length; ``full_share`` of them are as long as may be."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [*SPECIAL_TOKENS, *(f"w{number}" for number in range(words))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.load(folder / "vocab.txt", lowercase=True)
    tokenizer.save(folder / "tokenizer")
    metadata = {"format_version": str(FORMAT_VERSION), "vocabulary": tokenizer.fingerprint}
    records, documents = [], []
    for bucket in range(shards):
        generator = np.random.default_rng([seed, bucket])
        table = pa.table(
            {
                "source": pa.array([SOURCES[number % 2] for number in range(10)]),
                "file": pa.array(["made-up"] * 10),
                "locator": pa.array([str(number) for number in range(10)]),
                "title": pa.array([f"Document {number}" for number in range(10)]),
            }
        )
        documents.append(write_documents(documents_path(folder, bucket, shards), table, metadata))
        for length in lengths:
            for split, count in (("train", rows), ("heldout", heldout_rows)):
                examples = make_examples(generator, count, length, words, tokenizer, full_share)
                records.append(write_shard(shard_path(folder, split, length, bucket, shards), examples, metadata))
    Manifest(
        format_version=FORMAT_VERSION,
        configuration_hash="synthetic",
        configuration={"synthetic": True},
        inputs_hash="synthetic",
        inputs=InputRecords.of(()),
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocabulary_size=tokenizer.vocabulary_size,
        buckets=shards,
        lengths=tuple(lengths),
        shards=ShardRecords.of(records),
        documents=DocumentTableRecords.of(documents),
        tally={"counters": {}},
        corpus=CorpusStatistics(),
        statistics={},
    ).write(folder)
    return folder


def make_examples(
    generator: np.random.Generator, count: int, length: int, words: int, tokenizer: Tokenizer, full_share: float
) -> Examples:
    """``count`` examples of at most ``length`` tokens over ``words`` ordinary tokens."""
    first = len(SPECIAL_TOKENS)
    short = generator.integers(min(8, length), length + 1, count)
    sizes = np.where(generator.random(count) < full_share, length, short)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    total, starts = int(offsets[-1]), offsets[:-1]
    row = np.repeat(np.arange(count), sizes)
    place = np.arange(total) - starts[row]
    # A walk that adds 1 to 4 at every token, from a random start.
    steps = generator.integers(1, 5, total)
    walk = np.cumsum(steps)
    walk = walk - walk[starts][row] + generator.integers(0, words, count)[row]
    segment_b = sizes // 2
    is_random = generator.random(count) < 0.5
    jump = np.where(is_random, generator.integers(words // 4, max(words // 2, 1), count), 0)
    ids = first + (walk + np.where(place >= segment_b[row], jump[row], 0)) % words
    ids[starts] = tokenizer.cls_id
    ids[starts + segment_b - 1] = tokenizer.sep_id
    ids[offsets[1:] - 1] = tokenizer.sep_id
    # About 15 % of the ordinary tokens, at least one: of every seven places in a row one, at a random phase.
    ordinary = ids >= first
    masked = ordinary & ((place + generator.integers(0, 7, count)[row]) % 7 == 0)
    masked[starts + 1] |= ~np.logical_or.reduceat(masked, starts)
    positions, labels = place[masked], ids[masked]
    fate = generator.random(len(labels))
    ids[masked] = np.where(
        fate < 0.8,
        tokenizer.mask_id,
        np.where(fate < 0.9, generator.integers(first, first + words, len(labels)), labels),
    )
    return Examples(
        token_offsets=offsets.astype(np.int32),
        input_ids=ids.astype(tokenizer.id_dtype),
        segment_b_start=segment_b.astype(np.uint16),
        mask_offsets=np.concatenate([[0], np.cumsum(np.bincount(row[masked], minlength=count))]).astype(np.int32),
        masked_positions=positions.astype(np.uint16),
        masked_labels=labels.astype(tokenizer.id_dtype),
        is_random_next=is_random,
        document_a=generator.integers(0, 10, count).astype(np.uint32),
        document_b=generator.integers(0, 10, count).astype(np.uint32),
    )
