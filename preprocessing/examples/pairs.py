"""Which tokens meet in one example: segments A and B and their label, after Devlin et al. 2019, section 3.1 and A.2.

As in the published code a chunk of sentences is gathered up to a target length and cut in two at a random sentence
boundary; B is the rest of the chunk or, as often, a run of sentences from another document. Unlike it

- the label is drawn before anything that depends on it and nothing is thrown away afterwards, so that half of the
  pairs are random, exactly, in expectation: a chunk always has two sentences or more, and where only a document's last
  sentence is left, the one before it joins it again;
- "another document" is another document, drawn in one step from all that are in the bucket;
- short sequences are drawn per example;
- with whole words, truncation cuts between words.

`Plan` holds token positions only; `default_recipe.py` copies the tokens.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from preprocessing.compiled import compiled
from preprocessing.examples.philox import below, new_state, next_number, start_stream, uniform
from preprocessing.tokens.corpus import Array, Corpus

NEXT_SENTENCE, SENTENCE_ORDER, SINGLE_SEGMENT = 0, 1, 2
OBJECTIVES = {"next-sentence": NEXT_SENTENCE, "sentence-order": SENTENCE_ORDER, "none": SINGLE_SEGMENT}


@dataclass(frozen=True, eq=False)
class Plan:
    """One row an example, in the order of the documents. Without a second segment B's range is empty."""

    a_start: Array
    """int64, position in `Corpus.tokens`"""
    a_end: Array
    b_start: Array
    b_end: Array
    document_a: Array
    """uint32, index of the document in the corpus"""
    document_b: Array
    place: Array
    """uint32, number of the example in its document: with the document's key it names the example's random streams"""
    is_random_next: Array
    """bool"""
    truncated_tokens: int
    """tokens that did not fit"""

    @property
    def rows(self) -> int:
        return len(self.a_start)


def plan_pairs(
    corpus: Corpus,
    members: Array,
    *,
    length: int,
    short_probability: float,
    objective: str,
    whole_words: bool,
    key: int,
) -> Plan:
    """Plans the examples of the documents `members` (int64 indices), which also are where random B segments come from.

    `length` counts the special tokens. `key` is the `stream_key` of seed, length and duplicate number. A document of
    one sentence begins no pair (the label would not be free); it can still be a random B.
    """
    # Every example uses up one sentence at least, so there can be no more rows than sentences.
    room = int(corpus.sentence_counts()[members].sum())
    positions = np.empty((room, 4), np.int64)
    origins = np.empty((room, 3), np.uint32)
    labels = np.empty(room, np.bool_)
    rows, truncated = _plan(
        corpus.sentence_offsets,
        corpus.document_offsets,
        corpus.keys,
        corpus.word_starts,
        members,
        length - (2 if objective == "none" else 3),
        short_probability,
        OBJECTIVES[objective],
        whole_words,
        np.uint64(key),
        new_state(),
        positions,
        origins,
        labels,
    )
    return Plan(
        a_start=positions[:rows, 0].copy(),
        a_end=positions[:rows, 1].copy(),
        b_start=positions[:rows, 2].copy(),
        b_end=positions[:rows, 3].copy(),
        document_a=origins[:rows, 0].copy(),
        document_b=origins[:rows, 1].copy(),
        place=origins[:rows, 2].copy(),
        is_random_next=labels[:rows].copy(),
        truncated_tokens=int(truncated),
    )


def join_plans(plans: list[Plan]) -> Plan:
    """One plan after the other."""
    columns = {
        field.name: np.concatenate([getattr(plan, field.name) for plan in plans])
        for field in fields(Plan)
        if field.name != "truncated_tokens"
    }
    return Plan(**columns, truncated_tokens=sum(plan.truncated_tokens for plan in plans))


@compiled
def _plan(  # type: ignore[no-untyped-def]
    sentence_offsets,
    document_offsets,
    keys,
    word_starts,
    members,
    room,
    short_probability,
    objective,
    whole_words,
    key,
    state,
    positions,
    origins,
    labels,
) -> Any:
    row = 0
    truncated = 0
    needed = 1 if objective == SINGLE_SEGMENT else 2
    for member in range(len(members)):
        document = members[member]
        begin, end = document_offsets[document], document_offsets[document + 1]
        if end - begin < needed or (objective == NEXT_SENTENCE and len(members) < 2):
            continue
        at = begin
        place = 0
        while at < end:
            start_stream(state, key, keys[document], place)
            target = room
            if uniform(state) < short_probability:
                target = 2 + below(state, room - 1)
            flag = objective != SINGLE_SEGMENT and (next_number(state) & np.uint64(1)) == np.uint64(1)
            first = at
            while at < end and (at - first < needed or sentence_offsets[at] - sentence_offsets[first] < target):
                at += 1
            leftover = at - first < needed
            if leftover:
                first = at - needed
            middle = at if objective == SINGLE_SEGMENT else first + 1 + below(state, at - first - 1)
            a_start, a_end = sentence_offsets[first], sentence_offsets[middle]
            b_start, b_end = sentence_offsets[middle], sentence_offsets[at]
            other = document
            if flag and objective == NEXT_SENTENCE:
                drawn = below(state, len(members) - 1)
                other = members[drawn + 1 if drawn >= member else drawn]
                b_first = document_offsets[other] + below(state, document_offsets[other + 1] - document_offsets[other])
                b_last = b_first + 1
                wanted = target - (a_end - a_start)
                b_start = sentence_offsets[b_first]
                while b_last < document_offsets[other + 1] and sentence_offsets[b_last] - b_start < wanted:
                    b_last += 1
                b_end = sentence_offsets[b_last]
                if not leftover:
                    at = middle  # the sentences that were not used go back
            elif flag:
                a_start, a_end, b_start, b_end = b_start, b_end, a_start, a_end
            whole = (a_end - a_start) + (b_end - b_start)
            keep_a, front_a, keep_b, front_b = _truncate(state, a_end - a_start, b_end - b_start, room)
            a_start, a_end = _cut(word_starts, a_start, a_end, front_a, keep_a, whole_words)
            b_start, b_end = _cut(word_starts, b_start, b_end, front_b, keep_b, whole_words)
            truncated += whole - (a_end - a_start) - (b_end - b_start)
            positions[row, 0], positions[row, 1] = a_start, a_end
            positions[row, 2], positions[row, 3] = b_start, b_end
            origins[row, 0], origins[row, 1], origins[row, 2] = document, other, place
            labels[row] = flag
            row += 1
            place += 1
    return row, truncated


@compiled
def _truncate(state: Any, length_a: int, length_b: int, room: int) -> Any:
    """Takes tokens off the longer segment, at its front or back as a coin falls, until both fit into `room`.

    Returns for each segment how many tokens stay and how many go at the front.
    """
    front_a: Any = 0
    front_b: Any = 0
    coins = np.uint64(0)
    left = 0
    while length_a + length_b > room:
        if left == 0:
            coins = next_number(state)
            left = 32
        front = np.int64(coins & np.uint64(1))
        coins >>= np.uint64(1)
        left -= 1
        if length_a > length_b:
            length_a -= 1
            front_a += front
        else:
            length_b -= 1
            front_b += front
    return length_a, front_a, length_b, front_b


@compiled
def _cut(word_starts, start, end, front, keep, whole_words):  # type: ignore[no-untyped-def]
    """The range that stays of a segment; with `whole_words` it begins and ends at a word's boundary.

    A word that alone is longer than the room is cut at its end: there is no other way to keep any of it.
    """
    if keep == end - start:
        return start, end
    new_start, new_end = start + front, start + front + keep
    if not whole_words:
        return new_start, new_end
    while new_start < new_end and not word_starts[new_start]:
        new_start += 1
    while new_end > new_start and new_end < end and not word_starts[new_end]:
        new_end -= 1
    if new_end == new_start:
        return start, start + keep
    return new_start, new_end
