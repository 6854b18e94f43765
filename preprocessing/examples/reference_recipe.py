"""The published recipe with its quirks, for comparison: examples as google-research/bert's create_pretraining_data
makes them (Devlin et al. 2019), draw for draw from one `random.Random`, in plain Python.
"""

import random
from dataclasses import dataclass

from preprocessing.examples.options import ExampleOptions
from preprocessing.tokens.corpus import Array

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
