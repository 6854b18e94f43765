"""Which tokens are hidden, and what stands in their place (Devlin et al. 2019, section 3.1, task 1).

The unit is a piece, or with whole words a word; units never cross from one segment into the other. A simple random
sample of the units is chosen, of a size that does not depend on how long they are, so every unit of an example is as
likely as any other. One draw per unit decides whether it is shown as [MASK], as random ordinary pieces, or as it is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preprocessing.compiled import compiled, inlined
from preprocessing.examples.mask_draws import AS_MASK, AS_RANDOM, choose_fate, choose_unit
from preprocessing.examples.pairs import Plan
from preprocessing.examples.philox import below, new_state, start_stream, uniform
from preprocessing.examples.word_counts import LONGEST_WORD, count_words
from preprocessing.tokens.corpus import Array, offsets_of

# The number of the lowest bit that is set in x: (x & -x) * _DE_BRUIJN has another upper six bits for each (Leiserson,
# Prokop and Randall 1998, "Using de Bruijn sequences to index a 1 in a computer word").
_DE_BRUIJN = 0x03F79D71B4CB0A89
_LOWEST_BIT = np.zeros(64, np.int64)
_LOWEST_BIT[[((1 << bit) * _DE_BRUIJN & ~(-1 << 64)) >> 58 for bit in range(64)]] = np.arange(64)


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
    words = np.zeros((LONGEST_WORD + 1, 3), np.int64)
    words[:, 0] = count_words(plan, word_starts)
    shown = np.zeros(3, np.int64)
    counts = _most_masks(token_offsets, plan, rule)
    # With whole words it is more than is needed, but what is never written to takes no memory.
    room = int(counts.sum())
    positions = np.empty(room, np.uint16)
    labels = np.empty(room, input_ids.dtype)
    masked = _mask(
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
        rule.whole_words,
        mask_id,
        ordinary_ids,
        _LOWEST_BIT,
        counts,
        positions,
        labels,
        words,
        shown,
        new_state(),
    )
    return Masks(offsets_of(counts), positions[:masked], labels[:masked], words, shown)


def _most_masks(token_offsets: Array, plan: Plan, rule: MaskRule) -> Array:
    """int64, by row: how many pieces are masked; with whole words, how many at most."""
    pieces = (plan.a_end - plan.a_start) + (plan.b_end - plan.b_start)
    most: Array = np.minimum(pieces, rule.most)
    if rule.whole_words:
        return most
    # As in the published code the special tokens count towards the share.
    share = np.rint(np.diff(token_offsets) * rule.probability).astype(np.int64)
    return np.minimum(most, np.maximum(1, share))


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
    whole_words,
    mask_id,
    ordinary_ids,
    lowest_bit,
    counts,
    positions,
    labels,
    words,
    shown,
    state,
) -> Any:
    """Masks all rows; `counts` holds the most masks of each, and in the end how many it has. Returns their sum."""
    longest = 0
    for row in range(len(counts)):
        longest = max(longest, token_offsets[row + 1] - token_offsets[row])
    starts = np.empty(longest + 1, np.int64)  # of the words, as positions in the row
    ends = np.empty(longest + 1, np.int64)
    units = np.empty(longest + 1, np.int32)
    action = np.empty(longest + 1, np.int8)  # of the positions that are hidden
    hidden = np.zeros((longest >> 6) + 1, np.uint64)  # a bit for each position
    at = 0
    for row in range(len(counts)):
        begin = token_offsets[row]
        first_a, first_b = a_start[row], b_start[row]
        in_a = a_end[row] - first_a
        pieces = in_a + (b_end[row] - first_b)
        most = counts[row]
        start_stream(state, row_keys[row], document_keys[document_a[row]], place[row])
        if whole_words:
            found = _words(word_starts, first_a, a_end[row], 1, starts, ends, 0)
            found = _words(word_starts, first_b, b_end[row], 2 + in_a, starts, ends, found)
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
                    _hide(hidden, action, position, how)
                masked += last - first
            counts[row] = masked
        else:
            for unit in range(pieces):
                units[unit] = unit
            for chosen in range(most):
                piece = choose_unit(units, chosen, chosen + below(state, pieces - chosen))
                position = piece + 1 if piece < in_a else piece + 2  # past [CLS], and the [SEP] between the segments
                _hide(hidden, action, position, choose_fate(uniform(state), mask_share, random_share))
        before = 0
        for block in range(((pieces + 2) >> 6) + 1):
            bits = hidden[block]
            hidden[block] = np.uint64(0)
            while bits != np.uint64(0):
                lowest = bits & (~bits + np.uint64(1))
                bits ^= lowest
                position = block * 64 + lowest_bit[(lowest * np.uint64(_DE_BRUIJN)) >> np.uint64(58)]
                how = action[position]
                shown[how - 1] += 1
                positions[at] = position
                labels[at] = input_ids[begin + position]
                at += 1
                if how == AS_MASK:
                    input_ids[begin + position] = mask_id
                elif how == AS_RANDOM:
                    input_ids[begin + position] = ordinary_ids[below(state, len(ordinary_ids))]
                if position <= in_a:
                    token, first, last = first_a + position - 1, first_a, a_end[row]
                else:
                    token, first, last = first_b + position - in_a - 2, first_b, b_end[row]
                word = token
                while word > first and not word_starts[word]:
                    word -= 1
                end = token + 1
                while end < last and not word_starts[end]:
                    end += 1
                size = min(end - word, LONGEST_WORD)
                words[size, 1] += 1 if position - (token - word) > before else 0
                words[size, 2] += 1
                before = position
    return at


@inlined
def _hide(hidden, action, position, how):  # type: ignore[no-untyped-def]
    hidden[position >> 6] |= np.uint64(1) << np.uint64(position & 63)
    action[position] = how


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
