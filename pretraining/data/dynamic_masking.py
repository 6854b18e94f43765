"""``data.masking = "dynamic"``: every pass over an example sees new masks.

The static masks are undone from their labels and as many new positions are drawn, so the exact number of masked
tokens of a global batch is still read from the shards' offsets without communication. Randomness is counter-based,
keyed by seed, pass and example: no state to save, and the same masks on any number of ranks.

The two draws are those of static masks (``preprocessing/examples/mask_draws.py``): 80 % become [MASK], 10 % a random
ordinary token, 10 % stay; drawn per word where whole words are masked.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preprocessing.compiled import compiled, inlined
from preprocessing.examples.mask_draws import AS_MASK, AS_RANDOM, MASK_SHARE, RANDOM_SHARE, choose_fate, choose_unit
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.splitmix import draw, mix


@dataclass(frozen=True, eq=False)
class MaskingVocabulary:
    """What masking needs to know of a vocabulary."""

    mask_id: int
    ordinary_ids: np.ndarray  # int64: what a random replacement may be; neither special nor [unused]
    is_continuation: np.ndarray  # bool over all ids: "##..." pieces
    whole_words: bool


def vocabulary_of(shard_set: ShardSet) -> MaskingVocabulary:
    """That of the tokenizer and the build that a shard set is of."""
    tokenizer = Tokenizer.load(shard_set.tokenizer_path)
    return MaskingVocabulary(
        mask_id=tokenizer.mask_id,
        ordinary_ids=tokenizer.ordinary_ids,
        is_continuation=tokenizer.is_continuation,
        whole_words=bool(_setting(shard_set.manifest.configuration, "whole_word_masking")),
    )


def _setting(configuration: dict[str, Any], name: str) -> Any:
    """A setting of the build, in whichever table it stands; None when there is none."""
    if name in configuration:
        return configuration[name]
    tables = (value for value in configuration.values() if isinstance(value, dict))
    return next((found for table in tables if (found := _setting(table, name)) is not None), None)


def mask_anew(
    input_ids: np.ndarray,
    token_edges: np.ndarray,
    segment_ids: np.ndarray,
    masked_indices: np.ndarray,
    masked_labels: np.ndarray,
    mask_edges: np.ndarray,
    examples: np.ndarray,
    passes: np.ndarray,
    seed: int,
    vocabulary: MaskingVocabulary,
) -> None:
    """Replaces the masks of a packed batch in place (all arrays int64, as ``packing_loops.pack`` made them)."""
    input_ids[masked_indices] = masked_labels
    _draw(
        input_ids,
        token_edges,
        segment_ids,
        masked_indices,
        masked_labels,
        mask_edges,
        examples,
        passes,
        np.uint64(seed & 0xFFFFFFFFFFFFFFFF),
        vocabulary.mask_id,
        vocabulary.ordinary_ids,
        vocabulary.is_continuation,
        vocabulary.whole_words,
    )


@inlined
def _uniform(key: np.uint64, counter: int) -> float:
    """The ``counter``-th uniform number in [0, 1) of a key."""
    return float(draw(key, counter) >> np.uint64(11)) / 9007199254740992.0


@compiled
def _draw(
    input_ids: np.ndarray,
    token_edges: np.ndarray,
    segment_ids: np.ndarray,
    masked_indices: np.ndarray,
    masked_labels: np.ndarray,
    mask_edges: np.ndarray,
    examples: np.ndarray,
    passes: np.ndarray,
    seed: np.uint64,
    mask_id: int,
    ordinary_ids: np.ndarray,
    is_continuation: np.ndarray,
    whole_words: bool,
) -> None:
    for place in range(len(examples)):
        key = mix(mix(mix(seed) ^ np.uint64(passes[place])) ^ np.uint64(examples[place]))
        start, stop = token_edges[place], token_edges[place + 1]
        budget = mask_edges[place + 1] - mask_edges[place]
        # Words as [first, last): one piece each unless whole words are masked; [CLS] and both [SEP] belong to none.
        word_start = np.empty(stop - start, np.int64)
        word_stop = np.empty(stop - start, np.int64)
        words = 0
        for index in range(start + 1, stop - 1):
            if segment_ids[index + 1] != segment_ids[index]:
                continue
            continues = whole_words and words > 0 and is_continuation[input_ids[index]]
            if continues and word_stop[words - 1] == index:
                word_stop[words - 1] = index + 1
            else:
                word_start[words], word_stop[words] = index, index + 1
                words += 1
        counter = 0
        fates = np.zeros(stop - start, np.int8)
        units = np.arange(words)
        # A random order of the words, drawn lazily (Fisher-Yates); a word that no longer fits is passed over.
        left = budget
        for drawn in range(words):
            if left == 0:
                break
            word = choose_unit(units, drawn, drawn + int(_uniform(key, counter) * (words - drawn)))
            counter += 1
            size = word_stop[word] - word_start[word]
            if size > left:
                continue
            fate = choose_fate(_uniform(key, counter), MASK_SHARE, RANDOM_SHARE)
            counter += 1
            for index in range(word_start[word], word_stop[word]):
                fates[index - start] = fate
            left -= size
        # Only when no remaining word fits: part of a word, because the count is what the loss divides by.
        for index in range(start + 1, stop - 1):
            if left == 0:
                break
            if fates[index - start] == 0 and segment_ids[index + 1] == segment_ids[index]:
                fates[index - start] = AS_MASK
                left -= 1
        slot = mask_edges[place]
        for index in range(start, stop):
            fate = fates[index - start]
            if fate == 0:
                continue
            masked_indices[slot] = index
            masked_labels[slot] = input_ids[index]
            slot += 1
            if fate == AS_MASK:
                input_ids[index] = mask_id
            elif fate == AS_RANDOM:
                input_ids[index] = ordinary_ids[int(_uniform(key, counter) * len(ordinary_ids))]
                counter += 1
