import hashlib

import numpy as np
import pytest
from pydantic import ValidationError

from preprocessing.examples.arrays import BuiltExamples
from preprocessing.examples.default_recipe import build_examples
from preprocessing.examples.options import ExampleOptions
from preprocessing.tokens.corpus import Corpus, corpus_of
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = [f"w{i}" for i in range(300)] + [f"##p{i}" for i in range(195)]
    return build({token: index for index, token in enumerate([*SPECIAL_TOKENS, *words])}, lowercase=True)


@pytest.fixture(scope="module")
def corpus(tokenizer: Tokenizer) -> Corpus:
    """Its numbers come from a linear congruence written out here, lest a library's update change the golden test."""
    state = 1
    documents = []
    for _ in range(60):
        document = []
        for _ in range(12):
            state = state * 6364136223846793005 + 1442695040888963407 & (2**64 - 1)
            size = 1 + (state >> 33) % 20
            sentence = []
            for index in range(size):
                state = state * 6364136223846793005 + 1442695040888963407 & (2**64 - 1)
                sentence.append(5 + (state >> 33) % (300 if index == 0 else 495))
            document.append(sentence)
        documents.append(document)
    keys = np.arange(1, 61, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return corpus_of(documents, keys, tokenizer.is_continuation)


def make(
    corpus: Corpus, tokenizer: Tokenizer, length: int = 64, duplicates: int = 2, **settings: object
) -> BuiltExamples:
    options = ExampleOptions(sequence_lengths=(length,), **settings)  # type: ignore[arg-type]
    return build_examples(corpus, np.arange(corpus.documents), length, duplicates, options, tokenizer)


def digest(built: BuiltExamples) -> str:
    total = hashlib.sha256()
    for name, column in sorted(vars(built.examples).items()):
        total.update(name.encode() + str(column.dtype).encode() + np.ascontiguousarray(column).tobytes())
    return total.hexdigest()


GOLDEN = {
    "default": ({}, "4d0930e9b61ced36586ae3bb386fe79e99ab7d691dc13135ec9de67725ed2a71"),
    "whole words": ({"whole_word_masking": True}, "19f3d3af9619df3c6d975eb603037a26c516a8e06eb4b468dc66dd39fc012ea5"),
    "sentence order": (
        {"objective": "sentence-order"},
        "d21bfebc1928a6ea6ebb5b4a06f46519741fd8145df15db83b0258ad68057bfc",
    ),
    "single segment": ({"objective": "none"}, "97e580a527d5dd89bc7dc48b31bc6c0cea00632999eaf1133f280fd1a925ea33"),
}


@pytest.mark.parametrize(("settings", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_golden(corpus: Corpus, tokenizer: Tokenizer, settings: dict[str, object], expected: str) -> None:
    """These bytes may change only together with `ALGORITHM_VERSION` in configuration.py."""
    assert digest(make(corpus, tokenizer, **settings)) == expected


@pytest.mark.parametrize("settings", [case[0] for case in GOLDEN.values()], ids=GOLDEN)
def test_the_form_of_an_example(corpus: Corpus, tokenizer: Tokenizer, settings: dict[str, object]) -> None:
    examples = make(corpus, tokenizer, **settings).examples
    single = settings.get("objective") == "none"
    assert examples.rows > 100
    for row in range(examples.rows):
        ids = examples.input_ids[examples.token_offsets[row] : examples.token_offsets[row + 1]].copy()
        masks = slice(examples.mask_offsets[row], examples.mask_offsets[row + 1])
        ids[examples.masked_positions[masks]] = examples.masked_labels[masks]
        assert len(ids) <= 64
        assert ids[0] == tokenizer.cls_id
        assert ids[-1] == tokenizer.sep_id
        assert (ids == tokenizer.sep_id).sum() == (1 if single else 2)
        b_start = int(examples.segment_b_start[row])
        assert b_start == len(ids) if single else ids[b_start - 1] == tokenizer.sep_id
        assert masks.stop > masks.start
        for segment, document in (
            (ids[1 : b_start - 1], examples.document_a[row]),
            (ids[b_start:-1], examples.document_b[row]),
        ):
            assert contains(corpus, int(document), segment)


def contains(corpus: Corpus, document: int, segment: np.ndarray) -> bool:
    """Whether the document's text holds the segment, by the bytes of both."""
    first, last = corpus.sentence_offsets[corpus.document_offsets[document : document + 2]]
    return segment.tobytes() in corpus.tokens[first:last].tobytes()


def test_statistics_are_those_of_the_examples(corpus: Corpus, tokenizer: Tokenizer) -> None:
    built = make(corpus, tokenizer, whole_word_masking=True)
    examples, statistics = built.examples, built.statistics
    assert statistics.rows == examples.rows
    assert statistics.tokens == examples.token_offsets[-1] == len(examples.input_ids)
    assert statistics.masked_tokens == len(examples.masked_labels) == examples.mask_offsets[-1]
    assert statistics.random_pairs == examples.is_random_next.sum()
    assert sum(statistics.masked_pieces_by_length.values()) == statistics.masked_tokens
    pieces = sum(size * count for size, count in statistics.words_by_length.items())
    assert pieces == statistics.tokens - 3 * statistics.rows


def test_no_second_segment_starts_inside_a_word_with_whole_words(corpus: Corpus, tokenizer: Tokenizer) -> None:
    inside = {}
    for whole in (False, True):
        examples = make(corpus, tokenizer, length=32, whole_word_masking=whole).examples
        original = examples.input_ids.copy()
        rows = np.repeat(np.arange(examples.rows), np.diff(examples.mask_offsets))
        original[examples.token_offsets[rows] + examples.masked_positions] = examples.masked_labels
        first = original[examples.token_offsets[:-1] + examples.segment_b_start]
        inside[whole] = int(tokenizer.is_continuation[first].sum())
    assert inside[True] == 0
    assert inside[False] > 0, "the test has no power"


def test_duplicates_lengths_and_seeds_give_other_examples(corpus: Corpus, tokenizer: Tokenizer) -> None:
    once, twice = make(corpus, tokenizer, duplicates=1).examples, make(corpus, tokenizer, duplicates=2).examples
    head, tail = np.split(twice.input_ids, [len(once.input_ids)])
    assert np.array_equal(head, once.input_ids), "more duplicates only add"
    assert not np.array_equal(tail[: len(head)], head[: len(tail)])
    assert digest(make(corpus, tokenizer)) == digest(make(corpus, tokenizer))
    assert digest(make(corpus, tokenizer)) != digest(make(corpus, tokenizer, seed=1))


def test_documents_without_examples_are_counted(tokenizer: Tokenizer) -> None:
    documents = [[[7, 8]], [[9], [10]], [[11]], [[12], [13]]]
    corpus = corpus_of(documents, np.arange(4), tokenizer.is_continuation)
    assert make(corpus, tokenizer).statistics.documents_without_examples == 2
    assert make(corpus, tokenizer, objective="none").statistics.documents_without_examples == 0


def test_no_documents_give_no_examples(corpus: Corpus, tokenizer: Tokenizer) -> None:
    built = build_examples(corpus, np.arange(0), 64, 2, ExampleOptions(sequence_lengths=(64,)), tokenizer)
    assert built.examples.rows == 0
    assert built.examples.token_offsets.tolist() == [0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sequence_lengths": (512, 128)}, "ascending"),
        ({"sequence_lengths": (4,)}, "between 8"),
        ({"sequence_lengths": ()}, "ascending"),
        ({"max_predictions": (1, 2, 3)}, "one for each length"),
        ({"mask_token_share": 0.9, "random_token_share": 0.2}, "more than 1 together"),
        ({"recipe": "reference", "objective": "none"}, "not part of"),
        ({"mask_probability": 0.0}, "greater than 0"),
        ({"mask_probabilty": 0.1}, "mask_probabilty"),
    ],
)
def test_options_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ExampleOptions(**settings)  # type: ignore[arg-type]


def test_most_predictions_by_length() -> None:
    assert ExampleOptions(max_predictions=(20, 80)).most_predictions(512) == 80
    assert ExampleOptions(max_predictions=(20,)).most_predictions(512) == 20
    assert ExampleOptions().most_predictions(512) > 512
