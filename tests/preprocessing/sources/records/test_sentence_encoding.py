"""One encoding a file of sentences: the same whichever piece asks, and another one where the file is not UTF-8."""

import bz2
import gzip
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.options import InputOptions, ReaderOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.records import sentence_encoding as tested
from preprocessing.sources.records.sentence_encoding import sentence_encoding
from preprocessing.sources.records.sentence_lines import DAMAGED_LINES, read_sentence_lines
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

CZECH = "Žluťoučký kůň úpěl ďábelské ódy."
GERMAN = "Schöne Grüße aus Köln, wo es größer und heißer ist."


def text(sentence: str, plain: str, every: int, lines: int = 2000) -> str:
    """Lines, of which each `every`th holds letters above ASCII; ten make a document."""
    chosen = (f"{plain if line % every else sentence} {line}." for line in range(lines))
    return "".join(f"{line}\n{'' if number % 10 else chr(10)}" for number, line in enumerate(chosen, 1))


def read(path: Path, language: str, split_bytes: int = 64 << 20) -> tuple[list[str], Tally, int]:
    tally, pieces = Tally(), 0
    found: list[str] = []
    for split in plan_splits(InputOptions(sentences=[str(path)]), split_bytes):
        for piece in split.pieces():
            pieces += 1
            for document in read_sentence_lines(piece, ReaderOptions(language=language), tally):
                found += document.paragraphs
    return found, tally, pieces


@pytest.mark.parametrize("every", [3, 150])
@pytest.mark.parametrize("encoding", ["cp1250", "mac_latin2", "iso8859-2", "utf-8"])
def test_the_text_does_not_depend_on_how_the_file_is_cut(tmp_path: Path, encoding: str, every: int) -> None:
    """A piece of a few lines alone would say other things, or nothing."""
    path = tmp_path / "s.txt"
    expected = text(CZECH, "Ten den byl krasny a kratky", every)
    path.write_bytes(expected.encode(encoding))
    for split_bytes in (64 << 20, 20_000, 1500):
        found, tally, pieces = read(path, "cs", split_bytes)
        assert "\n".join(found) == "\n".join(expected.split("\n")).replace("\n\n", "\n").strip()
        assert tally.counters[f"encodings.{encoding}"] == 1
        assert sum(amount for name, amount in tally.counters.items() if name.startswith("encodings.")) in (1, 2)
        assert pieces > 30 or split_bytes > 1500


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850", "cp1252"])
def test_lines_that_tell_little_are_read_as_their_file_is(tmp_path: Path, encoding: str) -> None:
    """Of each piece alone no encoding can be told."""
    words = ["schön", "Grüße", "Köln", "größer", "heißer", "Bäume", "über", "für", "Übung", "Ärger", "Öl", "weiß"]
    lines = [f"Das ist Satz Nummer {number} und er ist lang." for number in range(2000)]
    for number in range(0, len(lines), 40):
        lines[number] = f"Das ist {words[number // 40 % 12]} und {words[(number // 8 + 3) % 12]} {number}."
    path = tmp_path / "s.txt"
    path.write_bytes(
        "".join(f"{line}\n{'' if n % 10 else chr(10)}" for n, line in enumerate(lines, 1)).encode(encoding)
    )
    for split_bytes in (64 << 20, 1500):
        found, tally, _ = read(path, "de", split_bytes)
        assert found == lines
        assert not tally.damage


@pytest.mark.parametrize("bad", [8, 31])
def test_an_encoding_that_is_refused_is_no_damage(tmp_path: Path, bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> str:
        raise PreprocessingError("no encoding fits")

    monkeypatch.setattr(tested, "detect_encoding", refuse)
    path = tmp_path / "s.txt"
    path.write_bytes(text(GERMAN, "Das ist lang", 4000 // bad, 4000).encode("mac_roman"))
    with pytest.raises(PreprocessingError, match="no encoding fits"):
        read(path, "de")


def test_one_line_among_many_of_ascii_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_bytes(b"One line.\n\n" * 500 + b"a\xff\xfe\x81b\n" + b"One line.\n\n" * 500)
    found, tally, _ = read(path, "zh")
    assert (len(found), tally.counters[DAMAGED_LINES]) == (1000, 1)
    assert tally.counters["encodings.utf-8"] == 1


def test_what_hides_in_ascii_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_bytes("今日は雨です。\n明日も雨でしょう。\n\n".encode("iso2022_jp") * 30)
    found, tally, _ = read(path, "ja")
    assert found == ["今日は雨です。", "明日も雨でしょう。"] * 30
    assert tally.counters["encodings.iso2022_jp"] == 1


def test_a_large_file_is_judged_by_parts_of_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "_PART_BYTES", 2000)
    path = tmp_path / "s.txt"
    ascii_only, czech = text("Ten den", "Ten den", 1, 4000), text(CZECH, "Ten den", 3, 4000)
    for whole in (ascii_only + czech, czech + ascii_only, ascii_only + czech + ascii_only):
        data = whole.encode("cp1250")
        path.write_bytes(data)
        for start in (0, len(data) // 2):
            piece = Split("sentences", str(path), path.name, start, len(data))
            assert sentence_encoding(piece, ReaderOptions(language="cs"), Tally()) == "cp1250"


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_compressed_one_by_its_beginning_and_its_first_telling_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: object
) -> None:
    monkeypatch.setattr(tested, "_PART_BYTES", 8000)
    monkeypatch.setattr(tested, "_SEARCHED_BYTES", 1000)  # holds for cut files alone
    path = tmp_path / "s.txt.gz"
    ascii_only, czech = text("Ten den", "Ten den", 1, 20_000), text(CZECH, "Ten den", 3)
    for whole in (ascii_only + czech, czech + ascii_only):
        path.write_bytes(compress(whole.encode("cp1250")))  # type: ignore[operator]
        piece = Split("sentences", str(path), path.name, 0, path.stat().st_size, detect_compression(str(path)))
        assert sentence_encoding(piece, ReaderOptions(language="cs"), Tally()) == "cp1250"


@pytest.mark.parametrize(
    ("part", "start", "whole"),
    [
        (b"a\nb\nc", 0, b"a\nb\n"),
        (b"a\nb\nc", 7, b"b\n"),
        (b"abc", 0, b"abc"),
        (b"abc", 7, b""),
        (b"abc\n", 7, b""),
        (b"ab\nc", 7, b""),
    ],
)
def test_parts_are_whole_lines(part: bytes, start: int, whole: bytes) -> None:
    assert tested._whole_lines(part, start) == whole
