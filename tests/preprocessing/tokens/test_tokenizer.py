import json
import random
from pathlib import Path

import numpy as np
import pytest
import transformers

from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import CHECKED_SHARE, SPECIAL_TOKENS, Tokenizer, build

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def vocabulary(*extra: str) -> dict[str, int]:
    """A small vocabulary in which every lower-case word has pieces: letters, their continuations, some words."""
    pieces = [*SPECIAL_TOKENS, "[unused0]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *"0123456789.,!?'-[]"]
    pieces += ["the", "un", "##aff", "##able", "cat", "##s", "é", "##é", "中", "国", "σ", "##ς", "##ing", "😀", *extra]
    return {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}


def write(path: Path, tokens: dict[str, int] | list[str]) -> Path:
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    return path


CONFIGURATIONS = [
    {"lowercase": True},
    {"lowercase": False},
    {"lowercase": True, "accents": True},
    {"lowercase": True, "chinese": False},
]


def differences(tokenizer: Tokenizer, texts: list[str]) -> list[str]:
    """The texts on which the fast path and `tokenizers` give other ids."""
    expected = tokenizer.backend.encode_batch_fast(texts, add_special_tokens=False)
    ids, offsets = tokenizer.encode(texts)
    return [
        text
        for index, (text, encoding) in enumerate(zip(texts, expected, strict=True))
        if ids[offsets[index] : offsets[index + 1]].tolist() != encoding.ids
    ]


@pytest.mark.slow
@pytest.mark.parametrize("settings", CONFIGURATIONS[:2], ids=str)
def test_every_code_point_is_tokenised_as_the_reference_does(settings: dict[str, bool]) -> None:
    tokenizer = build(vocabulary(), **settings)
    assert tokenizer._fast is not None
    code_points = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = [
        "".join(f"a{character}b e{character}" for character in code_points[i : i + 8])
        for i in range(0, len(code_points), 8)
    ]
    assert differences(tokenizer, texts) == []


@pytest.mark.parametrize("settings", CONFIGURATIONS, ids=str)
def test_random_text_is_tokenised_as_the_reference_does(settings: dict[str, bool]) -> None:
    tokenizer = build(vocabulary(), **settings)
    rng = random.Random(0)
    pools = [
        range(32, 127),
        range(0, 0x250),
        range(0x300, 0x400),
        range(0x4E00, 0x4F00),
        range(0x1F300, 0x1FA00),
        range(0x2000, 0x2070),
    ]
    texts = [
        "".join(chr(rng.choice(rng.choice(pools))) if rng.random() < 0.8 else " " for _ in range(rng.randrange(80)))
        for _ in range(4000)
    ]
    texts += ["Σ", "ΑΣ", "ὈΔΥΣΣΕΎΣ", "İstanbul", "ﬁ", "e\u0301", "\u200d", "\ufffd\x00a", "[MASK] [SEP]", "##s"]
    texts += [letter * count for letter in ("a", "é", "中") for count in (99, 100, 101, 200, 5000)]
    assert differences(tokenizer, texts) == []


def test_special_tokens_in_the_text_are_ordinary_text() -> None:
    tokenizer = build(vocabulary("mask"), lowercase=True)
    ids, _ = tokenizer.encode(["[MASK]"])
    assert [tokenizer.tokens[index] for index in ids] == ["[", "mask", "]"]


def test_a_difference_from_the_reference_stops_the_build() -> None:
    tokenizer = build(vocabulary(), lowercase=True)
    other = build(vocabulary(), lowercase=False)
    tokenizer.__dict__["_fast"] = other._fast
    with pytest.raises(PreprocessingError, match="differ"):
        tokenizer.encode(["The Cat"] * CHECKED_SHARE)


def test_a_tokenizer_that_nanotoken_cannot_follow_is_encoded_by_the_reference() -> None:
    tokenizer = build(vocabulary(), lowercase=True)
    expected = tokenizer.encode(["the cats", "", "un"])
    reference = build(vocabulary(), lowercase=True)
    reference.__dict__["_fast"] = None
    actual = reference.encode(["the cats", "", "un"])
    assert actual[0].dtype == expected[0].dtype
    assert np.array_equal(actual[0], expected[0])
    assert np.array_equal(actual[1], expected[1])


@pytest.mark.parametrize("settings", CONFIGURATIONS, ids=str)
def test_what_is_saved_is_loaded_here_and_by_transformers(tmp_path: Path, settings: dict[str, bool]) -> None:
    tokenizer = build(vocabulary(), **settings)
    tokenizer.save(tmp_path)
    assert Tokenizer.load(tmp_path).fingerprint == tokenizer.fingerprint
    assert Tokenizer.load(tmp_path / "vocab.txt").fingerprint == tokenizer.fingerprint
    loaded = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    text = "The unaffable Cats, é 中国 x!"
    inner = tokenizer.backend.encode(text, add_special_tokens=False).ids
    assert loaded(text)["input_ids"] == [tokenizer.cls_id, *inner, tokenizer.sep_id]


def test_ids_by_role() -> None:
    tokenizer = build(vocabulary(), lowercase=True)
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (
        0,
        1,
        2,
        3,
        4,
    )
    assert not {0, 1, 2, 3, 4, 5} & set(tokenizer.ordinary_ids.tolist())
    assert len(tokenizer.ordinary_ids) == tokenizer.vocabulary_size - 6
    pieces = [tokenizer.tokens[index] for index in np.flatnonzero(tokenizer.is_continuation)]
    assert pieces
    assert all(piece.startswith("##") for piece in pieces)


@pytest.mark.parametrize(("cased", "lowercase"), [((), True), (("The", "Paris"), False)])
def test_a_bare_vocabulary_tells_whether_it_is_cased(tmp_path: Path, cased: tuple[str, ...], lowercase: bool) -> None:
    assert Tokenizer.load(write(tmp_path / "vocab.txt", vocabulary(*cased))).lowercase is lowercase


def test_a_large_vocabulary_needs_four_bytes_an_id(tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(write(tmp_path / "vocab.txt", vocabulary(*(f"word{i}" for i in range(70000)))))
    assert tokenizer.encode(["the"])[0].dtype == np.uint32


def test_truncation_and_padding_of_a_file_are_switched_off(tmp_path: Path) -> None:
    tokenizer = build(vocabulary(), lowercase=True)
    tokenizer.backend.enable_truncation(4)
    tokenizer.backend.enable_padding(length=16)
    path = tmp_path / "tokenizer.json"
    tokenizer.backend.save(str(path))
    assert len(Tokenizer.load(path).encode(["a b c d e f"])[0]) == 6


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", r"vocab\.txt lacks \[MASK\]"),
        ("vocab.txt", "[PAD]\na\nb\na\n", "line 2 and again in line 4"),
        ("tokenizer.json", "{", "not a tokenizer.json"),
        ("tokenizer.json", json.dumps({"model": {"type": "BPE", "vocab": {}, "merges": []}}), "BPE"),
        ("other", "", "neither"),
    ],
)
def test_a_bad_vocabulary_is_refused_in_one_sentence(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(PreprocessingError, match=message):
        Tokenizer.load(tmp_path)


def test_a_vocabulary_in_another_encoding_or_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    with pytest.raises(PreprocessingError, match="not UTF-8"):
        Tokenizer.load(tmp_path)
    with pytest.raises(PreprocessingError, match="does not exist"):
        Tokenizer.load(tmp_path / "nowhere.txt")
