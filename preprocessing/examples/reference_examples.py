"""The published recipe on a bucket: its examples as arrays, and their statistics.

The bucket's documents stand for "the documents of one process" of the original, and the generator is seeded by the
bucket's content rather than by position, so that output does not depend on the runner.
"""

import random
from typing import Any

import numpy as np

from preprocessing.examples.arrays import BuiltExamples, Examples, documents_without_examples
from preprocessing.examples.options import ExampleOptions
from preprocessing.examples.philox import stream_key
from preprocessing.examples.reference_recipe import (
    AS_MASK,
    AS_ORIGINAL,
    AS_RANDOM,
    Instance,
    ReferenceVocabulary,
    create_instances,
)
from preprocessing.examples.statistics import ExampleStatistics
from preprocessing.examples.word_counts import LONGEST_WORD
from preprocessing.tokens.corpus import Array, Corpus, offsets_of
from preprocessing.tokens.tokenizer import Tokenizer


def build_reference_examples(
    corpus: Corpus, members: Array, length: int, duplicates: int, options: ExampleOptions, tokenizer: Tokenizer
) -> BuiltExamples:
    """`create_instances` for the documents `members` of a corpus, in the form that `build_examples` returns."""
    vocabulary = ReferenceVocabulary(
        cls_id=tokenizer.cls_id,
        sep_id=tokenizer.sep_id,
        mask_id=tokenizer.mask_id,
        size=tokenizer.vocabulary_size,
        is_continuation=tokenizer.is_continuation,
    )
    documents = [corpus.document_sentences(document) for document in members.tolist()]
    content = stream_key(0, *corpus.keys[members].tolist())
    rng = random.Random(stream_key(options.seed, "reference", length, content))
    instances = create_instances(documents, vocabulary, length, duplicates, options, rng)
    examples = _examples(instances, members, corpus)
    without = documents_without_examples(members, examples)
    return BuiltExamples(
        examples, _statistics(instances, vocabulary).model_copy(update={"documents_without_examples": without})
    )


def _examples(instances: list[Instance], members: Array, corpus: Corpus) -> Examples:
    def flat(name: str, dtype: Any) -> Array:
        return np.array([value for instance in instances for value in getattr(instance, name)], dtype)

    def column(name: str, dtype: Any) -> Array:
        return np.array([getattr(instance, name) for instance in instances], dtype)

    def offsets(name: str) -> Array:
        lengths = np.array([len(getattr(instance, name)) for instance in instances], np.int64)
        return offsets_of(lengths).astype(np.int32)

    return Examples(
        token_offsets=offsets("tokens"),
        input_ids=flat("tokens", corpus.tokens.dtype),
        segment_b_start=column("segment_b_start", np.uint16),
        mask_offsets=offsets("positions"),
        masked_positions=flat("positions", np.uint16),
        masked_labels=flat("labels", corpus.tokens.dtype),
        is_random_next=column("is_random_next", np.bool_),
        document_a=members[column("document_a", np.int64)].astype(np.uint32),
        document_b=members[column("document_b", np.int64)].astype(np.uint32),
    )


def _statistics(instances: list[Instance], vocabulary: ReferenceVocabulary) -> ExampleStatistics:
    words = np.zeros((LONGEST_WORD + 1, 3), np.int64)
    for instance in instances:
        original = list(instance.tokens)
        for position, label in zip(instance.positions, instance.labels, strict=True):
            original[position] = label
        masked = set(instance.positions)
        word: list[int] = []
        for position in range(1, len(original)):
            joins = vocabulary.is_continuation[original[position]] and word and position != instance.segment_b_start
            if word and not joins:
                size = min(len(word), LONGEST_WORD)
                hidden = len(masked.intersection(word))
                words[size] += (1, min(hidden, 1), hidden)
                word = []
            if position not in (instance.segment_b_start - 1, len(original) - 1):
                word.append(position)
    shown = [how for instance in instances for how in instance.shown]

    def by_length(column: int) -> dict[int, int]:
        return {int(size): int(words[size, column]) for size in np.flatnonzero(words[:, 0])}

    return ExampleStatistics(
        rows=len(instances),
        tokens=sum(len(instance.tokens) for instance in instances),
        random_pairs=sum(instance.is_random_next for instance in instances),
        masked_tokens=len(shown),
        masked_as_mask=shown.count(AS_MASK),
        masked_as_random=shown.count(AS_RANDOM),
        masked_as_original=shown.count(AS_ORIGINAL),
        truncated_tokens=sum(instance.truncated for instance in instances),
        words_by_length=by_length(0),
        masked_words_by_length=by_length(1),
        masked_pieces_by_length=by_length(2),
    )
