import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.books.chapters import is_heading
from preprocessing.sources.books.reader import _text_blocks
from preprocessing.sources.options import BookOptions, InputOptions, LimitOptions
from preprocessing.sources.paragraphs import blocks_of, margin_of, paragraphs_of
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

PROSE = """\
It was a bright cold day in the middle of April, and all the clocks in
the little town were striking one after the other. Nobody who walked in
the street that morning could have said what the hour was; and nobody--
or so it seemed to her--cared to know it. She shut the well-
worn book and went out.
"""
PROSE_SENTENCES = (
    "It was a bright cold day in the middle of April, and all the clocks in the little town were striking one after "
    "the other.",
    "Nobody who walked in the street that morning could have said what the hour was; and nobody--or so it seemed to "
    "her--cared to know it.",
    "She shut the well-worn book and went out.",
)
VERSE = """\
  The sea is calm to-night.
  The tide is full, the moon lies fair
  Upon the straits; on the coast the light
  Gleams and is gone; the cliffs stand,
  Glimmering and vast, out in the bay.
"""
NEW_HEADER = """\
\ufeffThe Project Gutenberg eBook of A Small Book

This ebook is for the use of anyone anywhere in the United States.

Title: A Small Book

Author: Nobody

Character set encoding: UTF-8

*** START OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK OF
GREAT LENGTH ***

Produced by A. Volunteer and the Distributed Proofreaders

"""
NEW_FOOTER = """
*** END OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK ***

Updated editions will replace the previous one.
"""
OLD_HEADER = """\
***The Project Gutenberg Etext of A Small Book, by Nobody***

Please take a look at the important information in this header.

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*

"""
OLD_FOOTER = "\nEnd of The Project Gutenberg Etext of A Small Book, by Nobody\n\nMore words.\n"


def read(path: Path | str, **options: object) -> tuple[list[Document], Tally]:
    tally = Tally()
    source = DocumentOptions(**options)  # type: ignore[arg-type]
    splits = plan_splits(InputOptions(books=(str(path),)))
    documents = [document for split in splits for document in read_documents(split, source, tally)]
    assert tally.unaccounted == 0
    return documents, tally


@pytest.mark.parametrize(
    ("header", "footer", "title"),
    [
        ("", "", "small"),
        (NEW_HEADER, NEW_FOOTER, "A Small Book"),
        (OLD_HEADER, OLD_FOOTER, "small"),
        (NEW_HEADER + OLD_HEADER, OLD_FOOTER + NEW_FOOTER, "A Small Book"),
        ("The Project Gutenberg Etext of A Small Book\n\n", "\n*End of the Project Gutenberg Etext of X\n", "small"),
        (
            NEW_HEADER.replace("THE PROJECT", "THIS PROJECT"),
            NEW_FOOTER.replace("THE PROJECT", "THIS PROJECT"),
            "A Small Book",
        ),
    ],
)
def test_gutenberg_s_own_text_goes(tmp_path: Path, header: str, footer: str, title: str) -> None:
    path = tmp_path / "small.txt"
    path.write_text(header + PROSE + footer, encoding="utf-8", newline="\r\n")
    (document,), _ = read(path)
    assert document == Document("books", "small.txt", "book", title, PROSE_SENTENCES)


def test_a_book_about_project_gutenberg_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    text = (PROSE + "\n") * 20 + "She read at Project Gutenberg all the evening.\n\n" + PROSE
    path.write_text(text)
    (document,), tally = read(path, cleaning={"maximum_repeated_share": 1.0})
    assert "She read at Project Gutenberg all the evening." in document.sentences
    assert document.sentences[-1] == PROSE_SENTENCES[-1]
    assert tally.counters["gutenberg.footers"] == 0


@pytest.mark.parametrize(
    ("block", "paragraphs"),
    [
        (PROSE, [" ".join(PROSE_SENTENCES)]),
        (VERSE, [line.strip() for line in VERSE.splitlines()]),
        ("Name      Age   Town\nAnna       31   Ulm\nBert        7   Bonn\n", 3),
        ("one | two | three\nfour | five | six\n", 2),
        ("By Jane Austen\n(1816)\n", 2),
        ("Unwrapped " * 30 + "\n" + "Second paragraph " * 20 + "\n", 2),
        (
            "  The first paragraph has an indented first line and goes on here\nuntil it ends early.\n"
            "  The second one follows without a blank line, as old books have\nit, and ends here too.\n",
            2,
        ),
        (
            "     A letter that is set in a narrower column than\n     the rest of the page, and that is wrapped at a\n"
            "     margin of its own, stays one paragraph.\n",
            1,
        ),
        (
            "诗是一种语言艺术形式，通过节奏和意象表达情感，历史悠久，种类繁多\n在世界各地都有不同的传统和风格。\n",
            ["诗是一种语言艺术形式，通过节奏和意象表达情感，历史悠久，种类繁多在世界各地都有不同的传统和风格。"],
        ),
    ],
)
def test_prose_is_joined_and_other_lines_stay(block: str, paragraphs: list[str] | int) -> None:
    lines = block.splitlines()
    margin = margin_of((PROSE * 10).splitlines()) if max(map(len, lines)) < 100 else margin_of(lines)
    if not block.isascii():
        margin = 32
    found = [paragraph for held in blocks_of(lines) for paragraph in paragraphs_of(held, margin)]
    assert (len(found) if isinstance(paragraphs, int) else found) == paragraphs


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("CHAPTER I", True),
        ("Chapter 12.", True),
        ("CHAPTER THE LAST", True),
        ("Chapter Twenty-One: The Storm", True),
        ("CHAPTER IV\nIn which nothing happens", True),
        ("BOOK THE FIRST", True),
        ("ACT III", True),
        ("SCENE I   Orchard of Oliver's house.", True),
        ("VOLUME II", True),
        ("LETTER 4", True),
        ("Kapitel 3", True),
        ("PREFACE", True),
        ("_Epilogue._", True),
        ("XIV.", True),
        ("THE END", True),
        ("Book I read yesterday was dull.", False),
        ("Part of the wall fell down.", False),
        ("Chapter I'm tired of.", False),
        ("I went home.", False),
        ("The preface was long.", False),
        ("CHAPTER I\nLine\nLine\nLine", False),
        ("Emma", False),
    ],
)
def test_headings(lines: str, expected: bool) -> None:
    assert is_heading(lines.splitlines()) == expected


FRONT = "A TITLE\n\nSomebody wrote this preface-like line which is long enough."
BOOK = f"{FRONT}\n\n\nCHAPTER I\n\nThe Start\n\n{PROSE}\n\nCHAPTER II.\n\n{VERSE}\n"


def test_a_document_is_a_book_or_a_chapter(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text(BOOK)
    (book,), tally = read(path)
    assert book.locator == "book"
    assert not any("CHAPTER" in sentence or sentence == "The Start" for sentence in book.sentences)
    assert tally.counters["books.headings"] == 3
    chapters, _ = read(path, books=BookOptions(document="chapter"))
    assert [(c.locator, c.title) for c in chapters] == [
        ("chapter=0", "b:"),
        ("chapter=1", "b: CHAPTER I The Start"),
        ("chapter=2", "b: CHAPTER II."),
    ]
    assert chapters[1].sentences == PROSE_SENTENCES
    assert sum((chapter.sentences for chapter in chapters), ()) == book.sentences
    (kept,), _ = read(path, books=BookOptions(keep_headings=True))
    assert {"CHAPTER I", "The Start", "CHAPTER II."} < set(kept.sentences)


def test_marks_of_plain_text_go(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text(
        "It was _very_ late,[3] he said; snake_case_name stays.\n\n[Illustration: A ship]\n\nThe rest of the book.\n"
    )
    (document,), _ = read(path)
    assert document.sentences == ("It was very late, he said; snake_case_name stays.", "The rest of the book.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_detected(tmp_path: Path, encoding: str) -> None:
    text = "Élise naquit à Orléans, un été très chaud, près du château de son père.\n\n" * 3
    path = tmp_path / "b.txt"
    path.write_bytes(text.encode(encoding))
    (document,), _ = read(path, cleaning={"maximum_repeated_share": 1.0}, language="fr")
    assert set(document.sentences) == {text.split("\n")[0]}


def test_compressed_folders_and_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "b.txt.gz").write_bytes(gzip.compress(PROSE.encode()))
    (tmp_path / "a" / "c.txt").write_text(PROSE)
    documents, _ = read(tmp_path / "a")
    assert [document.file for document in documents] == ["c.txt", "deep/b.txt.gz"]
    assert documents[0].sentences == documents[1].sentences == PROSE_SENTENCES
    assert [document.title for document in documents] == ["c", "b"]


def test_no_blank_lines_is_one_document_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("".join(f"This is line number {i} of a file that never has a blank one.\n" for i in range(200)))
    (document,), tally = read(path)
    assert len(document.sentences) == 200
    assert tally.counters["warnings.no_blank_lines"] == 1


def test_a_huge_book_goes_on_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("\n\n".join(f"Paragraph number {i} is about nothing in particular at all." for i in range(100)))
    documents, _ = read(path, limits=LimitOptions(document_characters=2000))
    assert [document.locator for document in documents] == ["book", "book;part=2", "book;part=3"]
    assert sum(len(document.sentences) for document in documents) == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text\0text", r"^b\.txt holds a NUL byte at offset 4, so it is not plain text"),
        (b"word " * (10 << 20), r"^b\.txt, line 1 is longer than 16 MiB, so the file does not look like lines of text"),
        (gzip.compress(PROSE.encode() * 50, mtime=0)[:-20], r"^b\.txt ends inside its gzip data at byte"),
        (b"\xff\xfe\x00\xd8\x00", r"^b\.txt is not valid utf-16.* near line 1; convert it to UTF-8"),
    ],
)
def test_bad_books_are_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "b.txt").write_bytes(content)
    with pytest.raises(PreprocessingError, match=message) as caught:
        read(tmp_path / "b.txt")
    assert "\n" not in str(caught.value)


def test_forced_encodings(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_bytes("Größe und Maß sind zwei Wörter, die man oft braucht.".encode("latin-1"))
    (document,), _ = read(path, books=BookOptions(encoding="latin-1"))
    assert document.sentences == ("Größe und Maß sind zwei Wörter, die man oft braucht.",)
    with pytest.raises(PreprocessingError, match="not valid utf-8 near line 1"):
        read(path, books=BookOptions(encoding="utf-8"))


def test_real_novels(shared_data: Path) -> None:
    documents, _ = read(shared_data / "books" / "*.txt")
    assert [document.file for document in documents] == sorted(document.file for document in documents)
    assert len(documents) == 6
    by_file = {document.file: document for document in documents}
    emma = by_file["emma.txt"].sentences
    assert (
        "Emma Woodhouse, handsome, clever, and rich, with a comfortable home and happy disposition, seemed to unite "
        "some of the best blessings of existence; and had lived nearly twenty-one years in the world with very little "
        "to distress or vex her." in emma
    )
    chapters, _ = read(shared_data / "books" / "prideprejudice.txt", books=BookOptions(document="chapter"))
    assert sum(document.locator != "chapter=0" for document in chapters) == 61
    characters = sum(len(sentence) for document in documents for sentence in document.sentences)
    raw = sum(len(" ".join(path.read_text().split())) for path in (shared_data / "books").glob("*.txt"))
    assert 0.98 * raw < characters <= raw


def test_files_that_a_folder_of_books_leaves_out_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(PROSE)
    (tmp_path / "b.pdf").write_bytes(b"%PDF")
    documents, _ = read(tmp_path)
    assert [document.file for document in documents] == ["a.txt"]
    assert "--books leaves out files that by their suffixes are none of its own" in (said := capsys.readouterr().err)
    assert said.endswith("b.pdf.\n")


def test_memory_is_bounded_whatever_the_lines() -> None:
    """Ten thousand lines of the longest kind would be 160 GB."""
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "x" * (1 << 20)

    blocks = blocks_of(lines())
    assert len(next(blocks)) == 8
    assert taken == 8
    taken = 0
    next(iter(_text_blocks(lines(), Tally())))
    assert taken <= 8 + 8


def test_a_book_without_text_is_counted_by_chapters_too(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("CHAPTER I\n\nCHAPTER II\n")
    documents, tally = read(tmp_path / "b.txt", books=BookOptions(document="chapter"))
    assert (documents, tally.dropped) == ([], {"empty": 1})
