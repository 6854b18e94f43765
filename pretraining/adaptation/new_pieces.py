"""Which words of a text deserve a piece of their own: those that a vocabulary spends most pieces on.

Words are counted in the training examples, as the vocabulary cuts them, so that they are the model's own words: in
lower case where it is uncased, without what the build dropped, and none that only held-out documents have.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from preprocessing.shards import Shard, ShardSet
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer

LEAST_COUNT = 5
"""A rarer word would hardly be trained."""


@dataclass(frozen=True)
class NewPiece:
    """A word that gets a piece."""

    word: str
    pieces: tuple[int, ...]
    """Ids of the pieces that it has been cut into, two at least."""
    count: int
    """How often it stands in the training examples."""

    @property
    def saved(self) -> int:
        """Pieces that one piece for the word saves in the training examples."""
        return self.count * (len(self.pieces) - 1)


def choose(words: Counter[tuple[int, ...]], tokenizer: Tokenizer, most: int) -> list[NewPiece]:
    """At most `most` words, those that save most pieces first, equals in the order of the alphabet.

    Only words of letters: numbers and codes are without end.
    """
    found = [NewPiece(_spelt(ids, tokenizer), ids, count) for ids, count in words.items() if count >= LEAST_COUNT]
    found = [piece for piece in found if piece.word.isalpha()]
    return sorted(found, key=lambda piece: (-piece.saved, piece.word))[:most]


def count_cut_words(shards: ShardSet, split: str, length: int, tokenizer: Tokenizer) -> Counter[tuple[int, ...]]:
    """Ids of the pieces of a word → how often it stands in the examples, of words of two pieces or more.

    A word at the end of a segment is left out, as the rest of it may have been cut off there.
    """
    words: Counter[tuple[int, ...]] = Counter()
    special = _ids_of(SPECIAL_TOKENS, tokenizer)
    for ids, starts, sizes in _words_of(shards, split, length, tokenizer):
        whole = ~np.isin(ids[starts], special) & ~np.isin(ids[np.minimum(starts + sizes, len(ids) - 1)], special)
        for size in np.unique(sizes[whole & (sizes > 1)]).tolist():
            places = starts[whole & (sizes == size)]
            rows, counts = np.unique(ids[places[:, None] + np.arange(size)], axis=0, return_counts=True)
            words.update(dict(zip(map(tuple, rows.tolist()), counts.tolist(), strict=True)))
    return words


def pieces_per_word(shards: ShardSet, split: str, length: int, tokenizer: Tokenizer) -> float | None:
    """Mean pieces of the words in the examples, marks left out; None where there are no words."""
    starts_word = np.array([bool(token) and token[0].isalnum() for token in tokenizer.tokens])
    pieces = words = 0
    for ids, starts, sizes in _words_of(shards, split, length, tokenizer):
        is_word = starts_word[ids[starts]]
        pieces, words = pieces + int(sizes[is_word].sum()), words + int(is_word.sum())
    return pieces / words if words else None


def _words_of(
    shards: ShardSet, split: str, length: int, tokenizer: Tokenizer
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each shard the ids as they were before masking, where words start in them, and their sizes in pieces.

    Marks and special tokens are words of one piece here, each. All int64.
    """
    for record in shards.records(split, length).with_rows().files():
        ids = _unmasked(shards.read(record))
        starts = np.flatnonzero(~tokenizer.is_continuation[ids])
        yield ids, starts, np.diff(starts, append=len(ids))


def _unmasked(shard: Shard) -> np.ndarray:
    ids = np.array(shard.input_ids, np.int64)
    masks_of_row = np.diff(shard.mask_offsets)
    ids[np.repeat(shard.token_offsets[:-1], masks_of_row) + shard.masked_positions] = shard.masked_labels
    return ids


def _ids_of(tokens: tuple[str, ...], tokenizer: Tokenizer) -> np.ndarray:
    return np.array([tokenizer.backend.token_to_id(token) for token in tokens if token not in ("[UNK]", "[MASK]")])


def _spelt(ids: tuple[int, ...], tokenizer: Tokenizer) -> str:
    """The word that pieces make."""
    first, *others = (tokenizer.tokens[index] for index in ids)
    return first + "".join(token.removeprefix("##") for token in others)
