"""The published recipe with its quirks, for comparison: examples as google-research/bert's create_pretraining_data
makes them (Devlin et al. 2019), draw for draw from one `random.Random`, in plain Python.

What differs by design: documents of a bucket stand for "the documents of one process", and the generator is seeded by
the bucket's content rather than by position, so that output does not depend on the runner.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from preprocessing.corpus import Array, Corpus, offsets_of
from preprocessing.examples import BuiltExamples, ExampleOptions
from preprocessing.manifest import ExampleStatistics
from preprocessing.masking import LONGEST_WORD
from preprocessing.philox import stream_key
from preprocessing.shards import Examples
from preprocessing.tokenizer import Tokenizer

Sentence = list[int]

AS_MASK, AS_ORIGINAL, AS_RANDOM = "mask", "original", "random"
TRIES_FOR_ANOTHER_DOCUMENT = 10


@dataclass(frozen=True)
class ReferenceVocabulary:
    """What the recipe needs to know of a vocabulary. A random replacement may be any id below `size`."""

    cls_id: int
    sep_id: int
    mask_id: int
    size: int
    is_continuation: Array


@dataclass(frozen=True)
class Instance:
    """One example, `shown` says for each masked position what stands there."""

    tokens: list[int]
    segment_b_start: int
    positions: list[int]
    labels: list[int]
    shown: list[str]
    is_random_next: bool
    document_a: int
    document_b: int
    truncated: int


def create_instances(
    documents: list[list[Sentence]],
    vocabulary: ReferenceVocabulary,
    length: int,
    duplicates: int,
    options: ExampleOptions,
    rng: random.Random,
) -> list[Instance]:
    """All examples of the documents in shuffled order; `document_a` and `document_b` index into `documents`."""
    order = list(range(len(documents)))
    rng.shuffle(order)
    instances = [
        instance
        for _ in range(duplicates)
        for index in range(len(order))
        for instance in _instances_of(documents, order, index, vocabulary, length, options, rng)
    ]
    rng.shuffle(instances)
    return instances


def _instances_of(
    documents: list[list[Sentence]],
    order: list[int],
    index: int,
    vocabulary: ReferenceVocabulary,
    length: int,
    options: ExampleOptions,
    rng: random.Random,
) -> list[Instance]:
    document = documents[order[index]]
    room = length - 3
    target = room
    if rng.random() < options.short_sequence_probability:
        target = rng.randint(2, room)
    instances = []
    chunk: list[Sentence] = []
    chunk_tokens = 0
    at = 0
    while at < len(document):
        chunk.append(document[at])
        chunk_tokens += len(document[at])
        if at == len(document) - 1 or chunk_tokens >= target:
            a_end = rng.randint(1, len(chunk) - 1) if len(chunk) >= 2 else 1
            a = [token for sentence in chunk[:a_end] for token in sentence]
            b: list[int] = []
            other = index
            is_random = len(chunk) == 1 or rng.random() < 0.5
            if is_random:
                wanted = target - len(a)
                for _ in range(TRIES_FOR_ANOTHER_DOCUMENT):
                    other = rng.randint(0, len(order) - 1)
                    if other != index:
                        break
                source = documents[order[other]]
                for sentence in source[rng.randint(0, len(source) - 1) :]:
                    b.extend(sentence)
                    if len(b) >= wanted:
                        break
                at -= len(chunk) - a_end
            else:
                b = [token for sentence in chunk[a_end:] for token in sentence]
            whole = len(a) + len(b)
            truncate_pair(a, b, room, rng)
            tokens = [vocabulary.cls_id, *a, vocabulary.sep_id, *b, vocabulary.sep_id]
            tokens, positions, labels, shown = mask_tokens(tokens, vocabulary, options, length, rng)
            instances.append(
                Instance(
                    tokens=tokens,
                    segment_b_start=len(a) + 2,
                    positions=positions,
                    labels=labels,
                    shown=shown,
                    is_random_next=is_random,
                    document_a=order[index],
                    document_b=order[other],
                    truncated=whole - len(a) - len(b),
                )
            )
            chunk, chunk_tokens = [], 0
        at += 1
    return instances


def truncate_pair(a: list[int], b: list[int], room: int, rng: random.Random) -> None:
    """Shortens the longer segment (B where they are equal) by one token, at the front or back, until both fit."""
    while len(a) + len(b) > room:
        longer = a if len(a) > len(b) else b
        if rng.random() < 0.5:
            del longer[0]
        else:
            longer.pop()


def mask_tokens(
    tokens: list[int], vocabulary: ReferenceVocabulary, options: ExampleOptions, length: int, rng: random.Random
) -> tuple[list[int], list[int], list[int], list[str]]:
    """The tokens with masks, the masked positions, their labels, and what is shown at each.

    With whole words a word that would exceed the budget is skipped, and a continuation after [SEP] joins the word
    before it: both as published.
    """
    units: list[list[int]] = []
    for position, token in enumerate(tokens):
        if token in (vocabulary.cls_id, vocabulary.sep_id):
            continue
        if options.whole_word_masking and units and vocabulary.is_continuation[token]:
            units[-1].append(position)
        else:
            units.append([position])
    rng.shuffle(units)
    budget = min(options.most_predictions(length), max(1, round(len(tokens) * options.mask_probability)))
    output = list(tokens)
    found: list[tuple[int, str]] = []
    for unit in units:
        if len(found) >= budget:
            break
        if len(found) + len(unit) > budget:
            continue
        for position in unit:
            how = _draw(options, rng)
            found.append((position, how))
            if how == AS_MASK:
                output[position] = vocabulary.mask_id
            elif how == AS_RANDOM:
                output[position] = rng.randint(0, vocabulary.size - 1)
    found.sort()
    positions = [position for position, _ in found]
    return output, positions, [tokens[position] for position in positions], [how for _, how in found]


def _draw(options: ExampleOptions, rng: random.Random) -> str:
    if rng.random() < options.mask_token_share:
        return AS_MASK
    rest = 1 - options.mask_token_share
    original = (rest - options.random_token_share) / rest
    # At the published shares this is a half; rounded, lest 0.49999999999999994 stand in for it.
    return AS_ORIGINAL if rng.random() < round(original, 12) else AS_RANDOM


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
    return BuiltExamples(_examples(instances, members, corpus), _statistics(instances, vocabulary))


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
