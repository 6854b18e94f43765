"""Learning pieces of words from word counts, reproducibly."""

from collections import Counter
from collections.abc import Iterator, Sequence

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

# WordPiece gives up on longer words, so they have nothing to teach.
LONGEST_WORD = 100
# Characters take up a third of the vocabulary at most, whatever the coverage asks for.
CHARACTER_SHARE = 3


def learn_pieces(
    counts: Counter[str], reserved: Sequence[str], size: int, minimum_frequency: int, coverage: float
) -> list[str]:
    """At most `size` pieces by id: the reserved ones, characters, continued characters ("##x"), then longer pieces.

    `counts` are of normalised words. The library numbers characters as a hash table yields them and breaks
    ties between merges by these numbers, so it would give another vocabulary each time; numbering them first, as
    if they were special tokens, makes the result depend on the counts alone.
    """
    words = {word: count for word, count in sorted(counts.items()) if len(word) <= LONGEST_WORD}
    alphabet = _alphabet(words, coverage, (size - len(reserved)) // CHARACTER_SHARE)
    words = {word: count for word, count in words.items() if alphabet.issuperset(word)}
    first = sorted({word[0] for word in words} | alphabet)
    continued = sorted({f"##{character}" for word in words for character in word[1:]})
    numbered = [*reserved, *first, *continued]
    learner = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=max(size, len(numbered)),
        min_frequency=minimum_frequency,
        special_tokens=numbered,
        show_progress=False,
    )
    learner.train_from_iterator(_repeated(words), trainer)
    pieces = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    return [piece for piece, _ in pieces][:size]


def _alphabet(words: dict[str, int], coverage: float, most: int) -> set[str]:
    """The most frequent characters that make up `coverage` of all, `most` at most."""
    characters: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            characters[character] += count
    wanted = coverage * sum(characters.values())
    alphabet: set[str] = set()
    covered = 0
    for character, count in sorted(characters.items(), key=lambda item: (-item[1], item[0])):
        if covered >= wanted or len(alphabet) >= most:
            break
        alphabet.add(character)
        covered += count
    return alphabet


def _repeated(words: dict[str, int], at_once: int = 1000) -> Iterator[str]:
    """Each word as often as it counts: the trainer takes text, not counts."""
    for word, count in words.items():
        line = f"{word} " * min(count, at_once)
        for _ in range(count // at_once):
            yield line
        if count % at_once:
            yield f"{word} " * (count % at_once)
