"""Archives that are damaged, locked, or of a kind of their own."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from tests.preprocessing.sources.books.epub_files import (
    CONTAINER,
    PAGE,
    below,
    book,
    chapters,
    make,
    package,
    read,
)


def test_a_damaged_list_of_locked_members_costs_nothing(tmp_path: Path) -> None:
    found, _ = read(tmp_path, book({"1.xhtml": PAGE.format("<p>One.</p>")}, **{"META-INF/encryption.xml": "\n"}))
    assert found == ["One."]


def at(data: bytes, member: str) -> int:
    """Where the stored bytes of a member begin."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.getinfo(member).header_offset + 30 + len(member)


def test_a_damaged_member_costs_that_chapter_alone(tmp_path: Path) -> None:
    data = make(
        {
            "META-INF/container.xml": CONTAINER.format("O/c.opf"),
            "O/c.opf": package(*chapters(3)),
            **below(chapters(3)),
        },
        0,
    )
    begin = at(data, "O/1.xhtml")
    found, tally = read(tmp_path, data[: begin + 50] + b"X" + data[begin + 51 :])
    assert found == ["Chapter 0 of the book.", "Chapter 2 of the book."]
    assert tally.counters["books.chapters_dropped.damaged"] == 1
    assert tally.counters["books.malformed_chapters_bytes"] == len(PAGE.format("<p>Chapter 1 of the book.</p>"))
    (place,) = tally.damage
    assert place.locator == "b.epub#O/1.xhtml"
    assert "CRC" in place.reason


@pytest.mark.parametrize(("flag", "method", "kind"), [(1, 8, "encrypted"), (0, 12, "damaged"), (0, 99, "damaged")])
def test_locked_and_foreign_members(tmp_path: Path, flag: int, method: int, kind: str) -> None:
    data = bytearray(book(chapters(2)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        local = archive.getinfo("O/1.xhtml").header_offset
    central = data.rindex(b"PK\1\2", 0, data.rindex(b"O/1.xhtml"))
    for place, shift in ((local, 6), (central, 8)):
        struct.pack_into("<HH", data, place + shift, flag, method)
    found, tally = read(tmp_path, bytes(data))
    assert found == ["Chapter 0 of the book."]
    assert tally.counters[f"books.chapters_dropped.{kind}"] == 1


def test_a_partly_locked_book_is_read_in_part(tmp_path: Path) -> None:
    locked = '<e xmlns:c="c"><c:CipherReference URI="O/0.xhtml"/></e>'
    found, tally = read(tmp_path, book(chapters(2), **{"META-INF/encryption.xml": locked}))
    assert found == ["Chapter 1 of the book."]
    assert tally.counters["books.chapters_dropped.encrypted"] == 1


def test_forms_of_archives(tmp_path: Path) -> None:
    plain = book(chapters(2))
    assert read(tmp_path, b"HTTP/1.1 200 OK\r\n\r\n" + plain)[0] == read(tmp_path, plain)[0]
    streamed = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w") as archive:  # sizes behind the data, as a pipe writes them
        archive.writestr("META-INF/container.xml", CONTAINER.format("O/c.opf"))
        archive.writestr("O/c.opf", package("0.xhtml"))
        with archive.open("O/0.xhtml", "w", force_zip64=True) as member:
            member.write(PAGE.format("<p>Chapter 0 of the book.</p>").encode())
    assert read(tmp_path, streamed.getvalue())[0] == ["Chapter 0 of the book."]


class _Unseekable(io.RawIOBase):
    def __init__(self, inner: io.BytesIO) -> None:
        self._inner = inner

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._inner.write(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (book(chapters(1))[:-40], "is not a readable EPUB book"),
        (b"no archive", "File is not a zip file"),
        (make({}), "there is no META-INF/container.xml"),
        (book(chapters(1), package("0.xhtml").encode() + b"\xff\x00"), "O/c.opf"),
    ],
)
def test_a_book_that_cannot_be_read_is_one_sentence(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(PreprocessingError, match=message) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_directory_of_millions_of_members_is_not_read(tmp_path: Path) -> None:
    directory = b"\0" * (9 << 20)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    with pytest.raises(PreprocessingError, match="its directory takes 9 MiB"):
        read(tmp_path, directory + end)
