import sys
import types
from collections.abc import Iterator

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build
from preprocessing.tokens.word_segmentation import load_word_segmenter, segmented_word_starts


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    pieces = [*SPECIAL_TOKENS, *"我来到北京清华大学a.", "bert", "##s", "##a"]
    return build({piece: index for index, piece in enumerate(pieces)}, lowercase=True)


@pytest.fixture
def segmenter_module() -> Iterator[str]:
    """A module with a word segmenter, as a user might have installed one."""
    module = types.ModuleType("two_characters")
    module.cut = lambda text: [text[i : i + 2] for i in range(0, len(text), 2)]  # type: ignore[attr-defined]
    sys.modules["two_characters"] = module
    yield "two_characters:cut"
    del sys.modules["two_characters"]
    load_word_segmenter.cache_clear()


def test_characters_of_a_word_belong_together(tokenizer: Tokenizer) -> None:
    words = ["我", "来到", "北京", "清华大学"]
    starts = segmented_word_starts("".join(words), lambda text: words, tokenizer)
    assert starts.tolist() == [True, True, False, True, False, True, False, False, False]


def test_other_scripts_keep_their_own_rule(tokenizer: Tokenizer) -> None:
    text = "berts 北京.a"
    words = ["ber", "ts ", "北京", ".a"]
    starts = segmented_word_starts(text, lambda _: words, tokenizer)
    assert [tokenizer.tokens[i] for i in tokenizer.encode([text])[0]] == ["bert", "##s", "北", "京", ".", "a"]
    assert starts.tolist() == [True, False, True, False, True, True]


def test_a_segmenter_that_changes_the_text_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(PreprocessingError, match="changed the text"):
        segmented_word_starts("北京", lambda text: ["北"], tokenizer)


def test_a_segmenter_is_found_by_name(segmenter_module: str) -> None:
    assert list(load_word_segmenter(segmenter_module)("北京大学")) == ["北京", "大学"]


@pytest.mark.parametrize("name", ["nowhere_at_all:cut", "json:nothing", "json", ":", ""])
def test_a_segmenter_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(PreprocessingError, match="--word-segmenter"):
        load_word_segmenter(name)
