import io

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import detect_encoding, known_encoding

TEXTS = {
    ("utf-8", "en"): "Naïve café – “quoted” 東京.",
    ("utf-8-sig", "en"): "With a mark: naïve.",
    ("utf-16", "en"): "With a mark: naïve.",
    ("utf-32", "en"): "With a mark: naïve.",
    ("utf-16-le", "en"): "Without a mark, in an alphabet: naïve text.",
    ("utf-16-be", "en"): "Without a mark, in an alphabet: naïve text.",
    ("cp1252", "fi"): "Hän söi yöllä.",
    ("cp1252", "de"): "Das ist „schön“ – für Mädchen und Jungen. Ça va très bien. L’été fut chaud à Orléans.",
    ("latin-1", "fr"): "Élève, forêt, château: voilà où naît l'été. À bientôt, mon père aimé; ça suffit déjà.",
    ("cp1250", "pl"): "Zażółć gęślą jaźń. Wszyscy ludzie rodzą się wolni i równi pod względem swej godności.",
    ("iso8859-2", "pl"): "Zażółć gęślą jaźń. Wszyscy ludzie rodzą się wolni i równi pod względem swej godności.",
    ("cp1251", "en"): "Это пример русского текста, который записан в старой кодировке. Он довольно короткий.",
    ("gbk", "en"): "这是一个中文文本的例子，用旧的编码写成。它不是很长。",
    ("shift_jis", "en"): "これは古い文字コードで書かれた日本語の文章です。あまり長くありません。",
}


@pytest.mark.parametrize(("encoding", "language"), TEXTS)
def test_encoding_is_seen_in_the_bytes(encoding: str, language: str) -> None:
    text = ("Plain lines come first.\n" * 20 + TEXTS[encoding, language] + "\n") * 5
    found = detect_encoding(lambda: io.BytesIO(text.encode(encoding)), "book.txt", language)
    assert text.encode(encoding).decode(found) == text


def test_utf8_is_judged_on_the_whole_file() -> None:
    late = b"ascii only\n" * 300_000 + "très tard: été, château, forêt, élève\n".encode("latin-1")
    assert detect_encoding(lambda: io.BytesIO(late), "book.txt") in ("cp1252", "latin-1")
    # A character that ends in the next block is no fault.
    straddling = b"a" * ((1 << 20) - 1) + "é".encode() + b"a"
    assert detect_encoding(lambda: io.BytesIO(straddling), "book.txt") == "utf-8"
    cut_off = "é".encode()[:1]
    assert detect_encoding(lambda: io.BytesIO(b"caf" + cut_off), "book.txt") != "utf-8"


def test_the_file_s_own_declaration_comes_before_guessing() -> None:
    header = b"Title: X\nCharacter set encoding: ISO-8859-5\n\n"
    body = "Привет".encode("iso8859-5")
    assert detect_encoding(lambda: io.BytesIO(header + body), "book.txt") == "iso8859-5"
    lie = header.replace(b"ISO-8859-5", b"UTF-8") + "Größe\n".encode("cp1252") * 5
    assert detect_encoding(lambda: io.BytesIO(lie), "book.txt", "de") == "cp1252"


def test_nul_bytes_are_refused_with_their_place() -> None:
    with pytest.raises(PreprocessingError, match=r"^book\.txt holds a NUL byte at offset 1200000, so"):
        detect_encoding(lambda: io.BytesIO(b"x" * 1_200_000 + b"\0more"), "book.txt")


def test_unknown_encoding_names_are_refused() -> None:
    assert known_encoding("LATIN1") == "iso8859-1"
    with pytest.raises(PreprocessingError, match="no encoding called 'klingon'"):
        known_encoding("klingon")
