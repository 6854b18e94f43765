"""Google's own layout, a sentence a line, from the file to its documents."""

from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import LimitOptions
from tests.preprocessing.documents.rows import read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_sentence_lines(tmp_path: Path, encoding: str) -> None:
    lines = [
        "Ein Satz. Über zwei Sätze hinweg auf einer Zeile.",
        "  Noch  einer ohne Punkt",
        "",
        " \t",
        "Das zweite Dokument hat nur einen einzigen längeren Satz.",
    ]
    path = tmp_path / "s.txt"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    documents, _ = read(inputs={"sentences": (str(path),)}, language="de")
    assert [d.sentences for d in documents] == [(lines[0], "Noch einer ohne Punkt"), (lines[4],)]
    assert documents[0].locator == ("line=1" if encoding == "utf-16" else "byte=0")
    assert documents[1].locator != documents[0].locator


def test_one_document_without_blank_lines_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("".join(f"Sentence number {i} is here.\n" for i in range(100)))
    documents, tally = read(inputs={"sentences": (str(path),)})
    assert (len(documents), tally.counters["warnings.no_blank_lines"]) == (1, 1)
    documents, _ = read(inputs={"sentences": (str(path),)}, limits=LimitOptions(document_characters=1000))
    assert len(documents) > 2
    assert sum(len(d.sentences) for d in documents) == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * (50 << 20), "s.txt from byte 0, line 1 is longer than 16 MiB"),
        (b"one\ntwo\0\n", "s.txt holds a NUL byte at offset 7"),
    ],
)
def test_bad_sentence_files_are_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(PreprocessingError) as caught:
        read(64 << 20, {"sentences": (str(tmp_path / "s.txt"),)})
    assert message in str(caught.value)


def test_sentences_in_an_encoding_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    lines = "Größe ist nicht alles, sagte die müde Möwe über dem Hafen.\nSüße Äpfel schmecken besser.\n\n"
    path.write_bytes((lines * 3).encode("mac_roman"))
    (document, *_), tally = read(inputs={"sentences": (str(path),)}, language="de")
    assert document.sentences == tuple(lines.split("\n")[:2])
    assert tally.counters["encodings.mac_roman"] == tally.counters["encodings.guessed"] == 1
    assert [note.locator for note in tally.notes] == ["lines.txt"]
    (document, *_), tally = read(inputs={"sentences": (str(path),)}, sentences={"encoding": "cp850"})
    assert document.sentences[0].startswith("Gr")
    assert "ß" not in document.sentences[0]
    assert not tally.notes
    with pytest.raises(PreprocessingError, match=r"set --language .* by --sentences\.encoding\."):
        read(inputs={"sentences": (str(path),)}, language="ru")
