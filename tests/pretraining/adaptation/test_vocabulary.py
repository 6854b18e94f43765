"""New pieces take ids that mean nothing yet, and every other id stays; transformers reads the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.vocabulary import read_pieces, with_words, write_pieces
from pretraining.errors import PretrainingError

TEXT = "The Elinors and ELINOR saw Marianne; élinor the cat 7. elino"


def test_unused_pieces_first_and_then_more(letters: Tokenizer) -> None:
    extended, ids = with_words(letters, ["elinor", "marianne", "cat"])
    size = letters.vocabulary_size
    assert ids == [letters.tokens.index("[unused0]"), letters.tokens.index("[unused1]"), size]
    assert extended.vocabulary_size == size + 1
    for place, (before, now) in enumerate(zip(letters.tokens, extended.tokens, strict=False)):
        assert now == before or place in ids
    assert [extended.tokens[index] for index in ids] == ["elinor", "marianne", "cat"]
    assert extended.fingerprint != letters.fingerprint
    assert letters.tokens[ids[0]] == "[unused0]"  # the old one is as it was


def test_transformers_cuts_alike(letters: Tokenizer, tmp_path: Path) -> None:
    extended, ids = with_words(letters, ["elinor", "marianne", "cat"])
    extended.save(tmp_path / "both", 32)
    extended.save(tmp_path / "text", 32)
    (tmp_path / "text" / "tokenizer.json").unlink()
    ours = extended.encode([TEXT])[0].tolist()
    assert [ours.count(index) for index in ids] == [3, 1, 1]
    for name in ("both", "text"):
        theirs = transformers.BertTokenizerFast.from_pretrained(tmp_path / name)
        assert theirs(TEXT, add_special_tokens=False)["input_ids"] == ours
        assert Tokenizer.load(tmp_path / name).encode([TEXT])[0].tolist() == ours


def test_a_special_piece_among_the_unused(letters: Tokenizer) -> None:
    # As Hugging Face writes them for some models: an unused piece that a text may spell.
    with_added = Tokenizer(type(letters.backend).from_str(letters.backend.to_str()))
    with_added.backend.add_special_tokens(["[unused0]"])
    extended, ids = with_words(with_added, ["elinor"])
    assert extended.encode(["elinor [unused0]"])[0].tolist()[0] == ids[0]
    assert extended.backend.token_to_id("[unused0]") is None


def test_a_word_that_is_there(letters: Tokenizer) -> None:
    with pytest.raises(PretrainingError, match="piece 'the' already"):
        with_words(letters, ["the"])


def test_the_file_of_pieces(shards_of: Callable[..., ShardSet], letters: Tokenizer, tmp_path: Path) -> None:
    shards = shards_of(["[CLS] the d ##o ##g . [SEP]"] * 5, ["[CLS] the d ##o ##g . [SEP]"])
    write_pieces(tmp_path / "pieces", shards, 32, letters, 3, 32)
    found = read_pieces(tmp_path / "pieces")
    assert found["pieces_per_word"] == 2
    (word,) = found["words"]
    pieces = list(letters.backend.encode("dog", add_special_tokens=False).ids)
    assert word == {"word": "dog", "id": 5, "pieces": pieces, "count": 5, "saved": 10}
    assert Tokenizer.load(tmp_path / "pieces").tokens[5] == "dog"
    with pytest.raises(PretrainingError, match="cuts no word"):
        write_pieces(tmp_path / "none", shards_of(["[CLS] the . [SEP]"], name="b"), 32, letters, 3, 32)
    assert not (tmp_path / "none").exists()
    (tmp_path / "pieces" / "new-pieces.json").write_text("{")
    with pytest.raises(PretrainingError, match="damaged"):
        read_pieces(tmp_path / "pieces")
