"""What masked-token prediction comes to by frequency alone: the plateau that a model has to leave."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet

MOST_LABELS = 2_000_000
"""Of each set and split that are counted: every shard is a sample of its whole corpus."""
Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Unigram:
    """`loss`: nats a masked token, `accuracy` a share of one, both on held-out labels."""

    loss: float
    accuracy: float


def unigram(folders: Sequence[str | Path], sequence_length: int, weights: Sequence[float] = ()) -> Unigram | None:
    """The cross-entropy of held-out labels under the frequencies of training labels, and the share of the commonest.

    Frequencies have one added to each count (Laplace), so that a piece that training has not still has some. None where
    the shards are no longer there, or nothing is held out.
    """
    try:
        sets = [ShardSet.open(folder) for folder in folders]
        if len({one.manifest.tokenizer_fingerprint for one in sets}) != 1:
            return None
        of_sets = [_counts(one, "train", sequence_length) for one in sets]
        held_out = sum((_counts(one, "heldout", sequence_length) for one in sets), np.zeros(1))
    except (PreprocessingError, OSError):
        return None
    if not held_out.sum() or not all(counts.sum() for counts in of_sets):
        return None
    drawn = weights or [1.0] * len(sets)
    shares = [
        weight * int(one.records("train", sequence_length).column("masked_tokens").sum()) * (counts / counts.sum())
        for weight, one, counts in zip(drawn, sets, of_sets, strict=True)
    ]
    seen = sum(counts.sum() for counts in of_sets)
    mixed = sum(shares, np.zeros(1))
    smoothed = seen * mixed / mixed.sum() + 1
    frequencies = smoothed / smoothed.sum()
    loss = -float((held_out * np.log(frequencies)).sum() / held_out.sum())
    return Unigram(loss, float(held_out[int(frequencies.argmax())] / held_out.sum())) if math.isfinite(loss) else None


def _counts(shards: ShardSet, split: str, length: int) -> Counts:
    """How often each piece is a label, float64 [vocabulary], in the first shards of a split."""
    counts = np.zeros(shards.manifest.vocabulary_size)
    for labels in _labels(shards, split, length):
        counts += np.bincount(labels, minlength=len(counts))
    return counts


def _labels(shards: ShardSet, split: str, length: int) -> Iterator[npt.NDArray[np.integer]]:
    records, seen = shards.records(split, length).with_rows(), 0
    for place in range(len(records)):
        if seen >= MOST_LABELS:
            return
        labels = shards.read(records.file(place)).masked_labels
        seen += len(labels)
        yield labels
