"""Words are counted as they stood before masking, and those come first that save most pieces."""

from collections import Counter
from collections.abc import Callable

from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.new_pieces import LEAST_COUNT, NewPiece, choose, count_cut_words, pieces_per_word

Make = Callable[..., ShardSet]


def ids_of(word: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    return tuple(tokenizer.backend.encode(word, add_special_tokens=False).ids)


def test_words_are_counted_as_they_were(shards_of: Make, letters: Tokenizer) -> None:
    rows = [
        "[CLS] d ##o ##g the c ##a ##t . [SEP]",  # the first piece of "dog" is masked, as every second piece
        "[CLS] the d ##o ##g c ##a ##t [SEP]",  # what stands before [SEP] may have been cut off
        "[CLS] ##o ##g the d ##o ##g [UNK] [SEP]",  # the rest of a word is none
        "[CLS] . d ##o [SEP] c ##a ##t . [SEP]",
    ]
    found = count_cut_words(shards_of(rows, ["[CLS] . d ##o ##g . [SEP]"]), "train", 32, letters)
    assert found == Counter({ids_of("dog", letters): 3, ids_of("cat", letters): 2})


def test_most_saved_first(letters: Tokenizer) -> None:
    words = Counter(
        {
            ids_of("elinor", letters): LEAST_COUNT,  # saves 5 each
            ids_of("cat", letters): 3 * LEAST_COUNT,  # saves 2 each
            ids_of("dog", letters): 3 * LEAST_COUNT,
            ids_of("marianne", letters): LEAST_COUNT - 1,  # too rare
            ids_of("a77777777", letters): 100 * LEAST_COUNT,  # no word of letters
        }
    )
    chosen = choose(words, letters, 10)
    assert [(piece.word, piece.saved) for piece in chosen] == [
        ("cat", 6 * LEAST_COUNT),
        ("dog", 6 * LEAST_COUNT),
        ("elinor", 5 * LEAST_COUNT),
    ]
    assert choose(words, letters, 1) == [NewPiece("cat", ids_of("cat", letters), 3 * LEAST_COUNT)]


def test_pieces_a_word(shards_of: Make, letters: Tokenizer) -> None:
    shards = shards_of(["[CLS] the . [SEP]"], ["[CLS] the d ##o ##g . . [SEP]", "[CLS] the . [SEP]"])
    assert pieces_per_word(shards, "heldout", 32, letters) == 5 / 3
    assert pieces_per_word(shards, "train", 32, letters) == 1
    assert pieces_per_word(shards_of(["[CLS] . [SEP]"], name="none"), "heldout", 32, letters) is None
