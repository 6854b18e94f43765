"""Which tokens are hidden, and what stands in their place (Devlin et al. 2019, section 3.1, task 1).

The unit is a piece, or with whole words a word; units never cross from one segment into the other. A simple random
sample of the units is chosen, of a size that does not depend on how long they are, so every unit of an example is as
likely as any other. One draw per unit decides whether it is shown as [MASK], as random ordinary pieces, or as it is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preprocessing.compiled import compiled
from preprocessing.examples.mask_draws import AS_MASK, AS_RANDOM, choose_fate, choose_unit
from preprocessing.examples.pairs import Plan
from preprocessing.examples.philox import below, new_state, start_stream, uniform
from preprocessing.tokens.corpus import Array

LONGEST_WORD = 32
"""Longer words are counted with those of this many pieces."""


@dataclass(frozen=True)
class MaskRule:
    """`probability` of a unit to be chosen; of the chosen, the shares shown as [MASK] and as random pieces (the rest
    is shown as it is); `most` pieces at most per example (the unit that would exceed it ends the example's masks)."""

    probability: float
    mask_share: float
    random_share: float
    most: int
    whole_words: bool


@dataclass(frozen=True, eq=False)
class Masks:
    """Masked positions of all rows; `words` has a row for each length of word (0 to LONGEST_WORD pieces) with how many
    words there are, how many have a masked piece, and how many masked pieces they have; `shown` counts masked
    positions shown as [MASK], random, original."""

    offsets: Array
    """int64, rows + 1"""
    positions: Array
    """uint16"""
    labels: Array
    """of the type of the ids"""
    words: Array
    """int64, (LONGEST_WORD + 1, 3)"""
    shown: Array
    """int64, 3"""


def mask_examples(
    input_ids: Array,
    token_offsets: Array,
    plan: Plan,
    word_starts: Array,
    document_keys: Array,
    row_keys: Array,
    rule: MaskRule,
    mask_id: int,
    ordinary_ids: Array,
) -> Masks:
    """Masks the examples in `input_ids` in place.

    `row_keys` (uint64, rows) are the `stream_key`s of seed, length and duplicate number; `word_starts` is by position
    in the corpus, as `plan` points into it. At least one piece of every example is masked.
    """
    rows = plan.rows
    counts = np.zeros(rows, np.int64)
    words = np.zeros((LONGEST_WORD + 1, 3), np.int64)
    shown = np.zeros(3, np.int64)
    offsets = np.zeros(rows + 1, np.int64)
    positions = np.empty(0, np.uint16)
    labels = np.empty(0, input_ids.dtype)
    # Twice the same draws: first to know how many there are, then to write them. Room for the most there can be would
    # be several times as much memory.
    for writing in (False, True):
        _mask(
            input_ids,
            token_offsets,
            plan.a_start,
            plan.a_end,
            plan.b_start,
            plan.b_end,
            plan.document_a,
            plan.place,
            word_starts,
            document_keys,
            row_keys,
            rule.probability,
            rule.mask_share,
            rule.random_share,
            rule.most,
            rule.whole_words,
            mask_id,
            ordinary_ids,
            writing,
            counts,
            offsets,
            positions,
            labels,
            words,
            shown,
            new_state(),
        )
        if not writing:
            np.cumsum(counts, out=offsets[1:])
            positions = np.empty(int(offsets[-1]), np.uint16)
            labels = np.empty(int(offsets[-1]), input_ids.dtype)
    return Masks(offsets, positions, labels, words, shown)


@compiled
def _mask(  # type: ignore[no-untyped-def]
    input_ids,
    token_offsets,
    a_start,
    a_end,
    b_start,
    b_end,
    document_a,
    place,
    word_starts,
    document_keys,
    row_keys,
    probability,
    mask_share,
    random_share,
    most,
    whole_words,
    mask_id,
    ordinary_ids,
    writing,
    counts,
    offsets,
    positions,
    labels,
    words,
    shown,
    state,
) -> Any:
    longest = 0
    for row in range(len(counts)):
        longest = max(longest, token_offsets[row + 1] - token_offsets[row])
    starts = np.empty(longest + 1, np.int64)  # of the words, as positions in the row
    ends = np.empty(longest + 1, np.int64)
    units = np.empty(longest + 1, np.int64)
    action = np.zeros(longest + 1, np.int8)
    for row in range(len(counts)):
        begin = token_offsets[row]
        length = token_offsets[row + 1] - begin
        pieces = (a_end[row] - a_start[row]) + (b_end[row] - b_start[row])
        # As in the published code the special tokens count towards the share.
        masked = min(pieces, most, max(1, round(length * probability)))
        if not writing and not whole_words:
            counts[row] = masked
            continue
        found = _words(word_starts, a_start[row], a_end[row], 1, starts, ends, 0)
        found = _words(word_starts, b_start[row], b_end[row], 2 + a_end[row] - a_start[row], starts, ends, found)
        start_stream(state, row_keys[row], document_keys[document_a[row]], place[row])
        action[:length] = 0
        if whole_words:
            for unit in range(found):
                units[unit] = unit
            wanted = min(found, max(1, round(found * probability)))
            masked = 0
            for chosen in range(wanted):
                word = choose_unit(units, chosen, chosen + below(state, found - chosen))
                first, last = starts[word], ends[word]
                if masked + last - first > most:
                    if masked > 0:
                        break
                    last = first + most
                how = choose_fate(uniform(state), mask_share, random_share)
                for position in range(first, last):
                    action[position] = how
                masked += last - first
        else:
            skipped = 1 + a_end[row] - a_start[row]  # the [SEP] between the segments
            for unit in range(pieces):
                units[unit] = 1 + unit if 1 + unit < skipped else 2 + unit
            for chosen in range(masked):
                piece = choose_unit(units, chosen, chosen + below(state, pieces - chosen))
                action[piece] = choose_fate(uniform(state), mask_share, random_share)
        counts[row] = masked
        if not writing:
            continue
        at = offsets[row]
        for word in range(found):
            hidden = 0
            for position in range(starts[word], ends[word]):
                how = action[position]
                if how == 0:
                    continue
                hidden += 1
                shown[how - 1] += 1
                positions[at] = position
                labels[at] = input_ids[begin + position]
                at += 1
                if how == AS_MASK:
                    input_ids[begin + position] = mask_id
                elif how == AS_RANDOM:
                    input_ids[begin + position] = ordinary_ids[below(state, len(ordinary_ids))]
            size = min(ends[word] - starts[word], LONGEST_WORD)
            words[size, 0] += 1
            words[size, 1] += 1 if hidden else 0
            words[size, 2] += hidden


@compiled
def _words(word_starts, start, end, position, starts, ends, found):  # type: ignore[no-untyped-def]
    """Adds the words of a segment that stands at `position` of the row; returns how many there are now."""
    for token in range(start, end):
        if token == start or word_starts[token]:
            starts[found] = position + token - start
            if token > start:
                ends[found - 1] = starts[found]
            found += 1
    if end > start:
        ends[found - 1] = position + end - start
    return found
