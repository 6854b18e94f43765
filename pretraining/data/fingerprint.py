"""A number for what a micro-batch holds: which examples, where in the global batch, with which masks."""

import numpy as np

from preprocessing.compiled import compiled
from pretraining.splitmix import mix


@compiled
def fingerprint(
    input_ids: np.ndarray,
    edges: np.ndarray,
    masked_indices: np.ndarray,
    masked_labels: np.ndarray,
    is_random_next: np.ndarray,
    slots: np.ndarray,
) -> np.int64:
    """The sum over examples, modulo 2⁶⁴, of a hash of each: the same however a global batch is cut.

    All int64: `input_ids` [t] as trained on, `edges` [s + 1] of the examples in them, `masked_indices` [m] into t,
    ascending, `masked_labels` [m], `is_random_next` [s], `slots` [s]: each example's place in the global batch.
    """
    total = np.uint64(0)
    mask = 0
    for example in range(len(slots)):
        key = mix(np.uint64(slots[example]) * np.uint64(2) + np.uint64(is_random_next[example]) + np.uint64(1))
        sum_of_tokens = key
        first, last = edges[example], edges[example + 1]
        for place in range(first, last):
            sum_of_tokens += mix(key ^ ((np.uint64(place - first) << np.uint64(32)) | np.uint64(input_ids[place])))
        masks = mix(key)
        while mask < len(masked_indices) and masked_indices[mask] < last:
            where, label = np.uint64(masked_indices[mask] - first), np.uint64(masked_labels[mask])
            sum_of_tokens += mix(masks ^ ((where << np.uint64(32)) | label))
            mask += 1
        total += mix(sum_of_tokens)
    return np.int64(total)
