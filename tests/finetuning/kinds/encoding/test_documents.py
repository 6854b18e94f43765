"""Windows over documents: every word once, where the most stands around it, against plain loops."""

import itertools
import random

import numpy as np
import pytest

from finetuning.kinds.encoding.documents import answered_words, document_bounds, word_windows
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.word_pieces import encode_words
from finetuning.kinds.rows import TokenRow
from preprocessing.tokens.tokenizer import Tokenizer

LABELS = ("O", "B-X", "I-X")


def row(words: str, document: str | None, number: int = 0) -> TokenRow:
    parts = tuple(words.split())
    return TokenRow(
        str(number), "", parts, tuple(LABELS[(number + place) % 3] for place in range(len(parts))), document
    )


def read(split: EncodedSplit, tokenizer: Tokenizer, rows: list[TokenRow]) -> list[tuple[str, list[str]]]:
    """For each sequence its text, and the words that it answers, by their first pieces."""
    assert split.words is not None
    found = []
    for s, (low, high) in enumerate(zip(split.offsets_s, split.offsets_s[1:], strict=False)):
        ids = split.input_ids_t[low:high]
        answered = []
        for w in range(split.words.offsets_s[s], split.words.offsets_s[s + 1]):
            word = rows[split.words.row_w[w]].words[split.words.word_w[w]]
            first = tokenizer.backend.encode(word, add_special_tokens=False).ids[0]
            assert ids[split.words.position_w[w]] == first, word
            tags = rows[split.words.row_w[w]].tags
            assert tags is not None
            assert split.labels[w] == LABELS.index(tags[split.words.word_w[w]])
            answered.append(word)
        found.append((" ".join(tokenizer.tokens[i] for i in ids), answered))
    return found


def test_the_sentences_of_a_document_run_on(tokenizer: Tokenizer) -> None:
    rows = [row("the cat sat", "1", 0), row("it ran", "1", 1), row("he sat", "2", 2), row("she ran", None, 3)]
    rows += [row("a dog", None, 4)]
    split = encode_words(rows, tokenizer, LABELS, 16, "document")
    assert read(split, tokenizer, rows) == [
        ("[CLS] the cat sat it ran [SEP]", ["the", "cat", "sat", "it", "ran"]),
        ("[CLS] he sat [SEP]", ["he", "sat"]),
        ("[CLS] she ran [SEP]", ["she", "ran"]),
        ("[CLS] a dog [SEP]", ["a", "dog"]),
    ]
    assert split.row_i.tolist() == [0, 2, 3, 4]
    counts = split.cut.counts
    assert (counts.rows, counts.rows_without_document, counts.rows_in_parts, counts.longest) == (5, 2, 0, 7)
    assert any("2 of 5 rows are of no known document" in warning for warning in counts.warnings("dev"))
    alone = encode_words(rows, tokenizer, LABELS, 16)
    assert [text for text, _ in read(alone, tokenizer, rows)][:2] == ["[CLS] the cat sat [SEP]", "[CLS] it ran [SEP]"]
    assert alone.cut.counts.rows_without_document == 0


def test_a_long_document_is_read_with_context_on_both_sides(tokenizer: Tokenizer) -> None:
    """Room for eight pieces, windows four apart; the borders of sentences are no borders of windows."""
    letters = [*"abcdefghijklmnopqr"]
    rows = [
        row(" ".join(part), "1", n) for n, part in enumerate((letters[:5], letters[5:6], letters[6:13], letters[13:]))
    ]
    split = encode_words(rows, tokenizer, LABELS, 10, "document")
    assert read(split, tokenizer, rows) == [
        ("[CLS] a b c d e f g h [SEP]", [*"abcdef"]),
        ("[CLS] e f g h i j k l [SEP]", [*"ghij"]),
        ("[CLS] i j k l m n o p [SEP]", [*"klm"]),
        ("[CLS] k l m n o p q r [SEP]", [*"nopqr"]),
    ]
    assert split.cut.counts.rows_in_parts == 1, "that of g to m"
    assert split.row_i.tolist() == [0, 2, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_every_word_is_answered_once_where_most_is_around_it(seed: int) -> None:
    draw = random.Random(seed)
    room = draw.choice([1, 2, 5, 9, 30])
    sizes = np.array([draw.randrange(0, min(room, 5) + 1) for _ in range(draw.randrange(0, 60))], np.int64)
    windows = word_windows(sizes, room)
    counts = answered_words(windows, sizes)
    assert sum(counts) == len(sizes)
    assert all(0 <= low < high <= len(sizes) and sizes[low:high].sum() <= room for low, high in windows)
    if sizes.sum() <= room and len(sizes):
        assert windows == [(0, len(sizes))]
    owners = [number for number, count in enumerate(counts) for _ in range(count)]
    for word, owner in enumerate(owners):
        around = [
            min(sizes[low:word].sum(), sizes[word + 1 : high].sum()) if low <= word < high else -1
            for low, high in windows
        ]
        assert around[owner] == max(around)
        assert owner == around.index(max(around)), "the first of equal ones"
    for (low, _), (later, _) in itertools.pairwise(windows):
        assert low < later


def test_no_words_no_windows(tokenizer: Tokenizer) -> None:
    rows = [row("", "1"), row("", "1"), TokenRow("2", "", ("\u200b",), ("O",), "2")]
    split = encode_words(rows, tokenizer, LABELS, 16, "document")
    assert split.words is not None
    assert len(split.words.word_w) == 0
    assert encode_words([], tokenizer, LABELS, 16, "document").items == 0


@pytest.mark.parametrize(
    ("documents", "bounds"),
    [
        ([], []),
        (["1"], [(0, 1)]),
        (["1", "1", "2"], [(0, 2), (2, 3)]),
        ([None, None, "1", None, "1", "1"], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6)]),
        (["1", "2", "1"], [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_documents_are_neighbouring_rows_of_one_name(
    documents: list[str | None], bounds: list[tuple[int, int]]
) -> None:
    assert document_bounds([row("a", document) for document in documents]) == bounds
