"""A sentence a line, as it is met: lines that cannot be decoded, that are too long, files that hold nothing."""

import gzip
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.lines import NO_RECORDS
from preprocessing.sources.options import LimitOptions, ReaderOptions
from preprocessing.sources.records.sentence_lines import DAMAGED_DOCUMENTS, DAMAGED_LINES, read_sentence_lines
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

GOOD = "Über den Bergen, so weit man hört, ist es grün.\nUnd schön.\n\n".encode()


def read(folder: Path, data: bytes, options: ReaderOptions | None = None) -> tuple[list[list[str]], Tally]:
    path = folder / "s.txt"
    path.write_bytes(data)
    tally = Tally()
    piece = Split("sentences", str(path), path.name, 0, len(data), detect_compression(str(path)))
    found = [d.paragraphs for d in read_sentence_lines(piece, options or ReaderOptions(language="de"), tally)]
    assert tally.documents_in == len(found) + sum(tally.dropped.values())
    return found, tally


@pytest.mark.parametrize("bad", [b"caf\xe9 au lait", b"a \0 b", b"\xed\xa0\x80 half", b"\xff\xfe", b"\xc3"])
def test_a_line_that_cannot_be_decoded_is_left_out_and_counted(tmp_path: Path, bad: bytes) -> None:
    data = GOOD * 20 + b"Eins.\n" + bad + b"\nZwei.\n\n" + GOOD * 20
    whole = read(tmp_path, GOOD * 20)[0]
    for compress in (bytes, gzip.compress):
        found, tally = read(tmp_path, compress(data))
        assert found == [*whole, ["Eins.", "Zwei."], *whole]
        assert (tally.counters[DAMAGED_LINES], tally.counters[DAMAGED_DOCUMENTS]) == (1, 1)
        assert [r.locator for r in tally.damage] == [f"s.txt byte={len(GOOD) * 20 + 6}"]


def test_in_plain_ascii_too_where_no_other_encoding_is_told(tmp_path: Path) -> None:
    found, tally = read(tmp_path, b"One line.\n\n" * 50 + b"a \0 b\n" + b"One line.\n\n" * 50)
    assert (len(found), tally.counters[DAMAGED_LINES]) == (100, 1)


def test_a_file_in_another_encoding_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    found, tally = read(tmp_path, (GOOD * 20).decode().encode("cp1252"))
    assert found == read(tmp_path, GOOD * 20)[0]
    assert not tally.counters[DAMAGED_LINES]


def test_a_range_knows_the_encoding_of_its_file(tmp_path: Path) -> None:
    """In the second half hardly a line but the damaged one tells an encoding."""
    data = GOOD * 20 + b"Nur Buchstaben.\n\n" * 40 + b"caf\xe9\n" + b"Nur Buchstaben.\n\n"
    path = tmp_path / "s.txt"
    path.write_bytes(data)
    cut, tally = len(GOOD) * 20, Tally()
    piece = Split("sentences", str(path), path.name, cut, len(data))
    assert len(list(read_sentence_lines(piece, ReaderOptions(language="de"), tally))) == 41
    assert tally.counters[DAMAGED_LINES] == 1


def test_a_line_above_the_limit_is_left_out_and_counted(tmp_path: Path) -> None:
    options = ReaderOptions(limits=LimitOptions(line_bytes=100))
    found, tally = read(tmp_path, b"One.\n" + b"x" * 5000 + b"\nTwo.\n\nThree.\n", options)
    assert found == [["One.", "Two."], ["Three."]]
    assert tally.counters[DAMAGED_LINES] == 1
    assert "line 2 is longer than" in tally.damage[0].reason


def test_half_a_pair_in_utf16_costs_its_line(tmp_path: Path) -> None:
    data = "\ufeffEins.\nBAD\nZwei.\n".encode("utf-16-le").replace(b"A\0", b"\0\xd8")
    found, tally = read(tmp_path, data)
    assert found == [["Eins.", "Zwei."]]
    assert [r.locator for r in tally.damage] == ["s.txt line=2"]


@pytest.mark.parametrize("data", [b"\n", b" \n\t\r\n\n" * 40, gzip.compress(b"", mtime=0)])
def test_a_file_without_text_is_said(tmp_path: Path, data: bytes) -> None:
    found, tally = read(tmp_path, data)
    assert (found, tally.counters) == ([], {NO_RECORDS: 1, "encodings.utf-8": 1})


def test_of_a_damaged_stream_what_comes_before_is_read(tmp_path: Path) -> None:
    data = b"".join(b"Sentence %d is number %d.\n\n" % (n, n * n * 7919 % 10007) for n in range(20_000))
    path = tmp_path / "s.txt.gz"
    path.write_bytes(gzip.compress(data)[:-5000])
    found: list[str] = []
    piece = Split("sentences", str(path), path.name, 0, path.stat().st_size, "gzip")
    documents = read_sentence_lines(piece, ReaderOptions(), Tally())
    with pytest.raises(PreprocessingError, match="ends inside its gzip data"):
        found.extend(document.paragraphs[0] for document in documents)  # keeps what came before the error
    assert len(found) > 100
    assert "\n\n".join(found).encode() == data[: len("\n\n".join(found))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_replacement_character_of_the_file_itself_is_text(tmp_path: Path, encoding: str) -> None:
    found, tally = read(tmp_path, "Eins \ufffd hier.\nZwei.\n".encode(encoding))
    assert found == [["Eins \ufffd hier.", "Zwei."]]
    assert not tally.damage


def test_a_long_line_in_utf16_costs_itself(tmp_path: Path) -> None:
    options = ReaderOptions(limits=LimitOptions(line_bytes=100))
    for before, long, after in (
        ("Eins.\n", "x" * 5000, "\nZwei.\n"),
        ("", "x" * 202, "\nZwei.\n"),
        ("Eins.\n", "x" * 300, ""),
    ):
        found, tally = read(tmp_path, (before + long + after).encode("utf-16"), options)
        assert found == [[line for line in (before.strip(), after.strip()) if line]]
        assert (tally.counters[DAMAGED_LINES], tally.counters[DAMAGED_DOCUMENTS]) == (1, 1)
        assert "is longer than 100 bytes" in tally.damage[0].reason


def test_the_places_of_damage_weigh_as_documents(tmp_path: Path) -> None:
    tally = read(tmp_path, GOOD * 20 + b"caf\xe9\n")[1]
    assert [place.kind for place in tally.damage] == [DAMAGED_DOCUMENTS]
