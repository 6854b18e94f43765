"""Project Gutenberg's own text goes by where it stands and how it looks, and nothing else goes."""

import itertools
from collections.abc import Iterator

import pytest

from preprocessing.sources.books.gutenberg import strip_gutenberg
from preprocessing.sources.books.gutenberg_marks import is_front_credit, kind_of, looks_own
from preprocessing.tally import Tally

HEADER = """\
The Project Gutenberg eBook of A Small Book

This ebook is for the use of anyone anywhere in the United States and
most other parts of the world at no cost.

Title: A Small Book

Release date: June 1, 1998 [eBook #1342]
                Most recently updated: October 29, 2024

*** START OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK ***

"""
END = "\n*** END OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK ***\n\nUpdated editions will replace the previous one.\n\n"
LICENCE = "\n".join(
    f"1.E.{n}.  Whoever passes on a Project Gutenberg-tm electronic work\nobeys paragraph {n} of these terms.\n"
    for n in range(120)
)
SMALL_PRINT = """\
***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
They tell us that we might be sued over this etext.

INDEMNITY
You will hold the Project harmless from all liability.

*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*
"""
OLD_HEADER = f"***The Project Gutenberg Etext of Another Book***\n\n{SMALL_PRINT}\n"
OLD_END = "\nEnd of The Project Gutenberg Etext of Another Book, by Nobody\n\n"
AUSTRALIAN = """
Project Gutenberg Australia

Title:      A Small Book
Author:     Nobody
* A Project Gutenberg of Australia eBook *
eBook No.:  0100021.txt

Project Gutenberg of Australia eBooks are made from printed editions
which are in the public domain in Australia.

To contact Project Gutenberg of Australia go to http://gutenberg.net.au

"""


def prose(paragraphs: int, name: str = "first") -> str:
    return "\n".join(
        f"In paragraph {number} of the {name} part all the clocks were striking one\nafter the other, and nobody in "
        "the little town\ncould have said what the hour really was.\n"
        for number in range(paragraphs)
    )


BOOK, POEM = prose(40), prose(1)
QUOTED = "*** {} OF THE PROJECT GUTENBERG EBOOK EMMA ***"


def stripped(text: str) -> tuple[list[str], str, Tally]:
    tally = Tally()
    header, body = strip_gutenberg(iter(text.splitlines()), "b.txt", tally)
    return [line for line in body if line.strip()], header.title, tally


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("text", "book"),
    [
        (HEADER + BOOK + END + LICENCE, BOOK),
        (HEADER + POEM + END + LICENCE, POEM),  # a tenth of what counts is the book's, not the file's
        (HEADER + "Roses are red.\n" + END + LICENCE, "Roses are red.\n"),
        (HEADER + END + LICENCE, ""),
        ("A book of somebody's.\n\n" + QUOTED.format("START") + "\n\n" + BOOK, BOOK),
        (BOOK + "\n" + QUOTED.format("END") + "\n\n" + "Words of the law.\n" * 35, BOOK),
        (BOOK + "\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n", BOOK),
        (prose(400) + "\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n", prose(400)),
        (BOOK + END, BOOK),
        ("*** START OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK ***\n" + BOOK, BOOK),
        (OLD_HEADER + BOOK + OLD_END, BOOK),
        (HEADER + OLD_HEADER + BOOK + OLD_END + END + LICENCE, BOOK),
        (HEADER.replace("A SMALL BOOK ***", "A SMALL BOOK\nOF GREAT LENGTH ***") + BOOK, BOOK),
        (
            HEADER.replace("OF THE", "OF THIS") + BOOK + "\nEnde dieses Projekt Gutenberg Etextes Faust, von Goethe\n",
            BOOK,
        ),
        (AUSTRALIAN + BOOK + "\nThis site is full of FREE ebooks - Project Gutenberg Australia\n", BOOK),
    ],
)
def test_headers_and_licences_go(text: str, book: str) -> None:
    found, _, tally = stripped(text)
    assert found == lines_of(book)
    assert tally.counters["gutenberg.kept_whole"] == 0


@pytest.mark.parametrize("size", [2, 40])
def test_small_print_at_the_end_goes_alone(size: int) -> None:
    for head in ("", HEADER):
        found, _, tally = stripped(head + prose(size) + "\n" + SMALL_PRINT)
        assert found == lines_of(prose(size))
        assert tally.damage == []


@pytest.mark.parametrize(
    "first",
    [
        END + LICENCE + "\n" + HEADER,
        END + HEADER,
        "\n" + HEADER,
        OLD_END + OLD_HEADER,
        END + LICENCE + "\n",
    ],
)
def test_what_stands_between_books_in_one_file_goes(first: str) -> None:
    found, title, _ = stripped(HEADER + BOOK + first + prose(40, "second") + END + LICENCE)
    assert found == lines_of(BOOK + prose(40, "second"))
    assert title == "A Small Book"


@pytest.mark.parametrize(
    "text",
    [
        BOOK,
        BOOK + "\nEnd of the Project Gutenberg Etext of The Thing, Volume One\n\n" + prose(40, "second"),
        prose(3) + "\nEnd of the Project Gutenberg Etext of The Thing, Volume One\n\n" + prose(3, "second"),
        prose(3) + f"\n{QUOTED.format('START')}\n\n" + BOOK,
        prose(3) + f"\nShe read\n{QUOTED.format('START')} and closed\nthe book.\n\n" + BOOK,
        BOOK + f"\nShe read\n{QUOTED.format('END')}\nand closed the book.\n\n" + prose(2, "second"),
        BOOK + f"\nAt last she read\n{QUOTED.format('END')} and died.\n",
        BOOK + f"\n{QUOTED.format('END')}\n\n" + prose(40, "second"),
        "Project Gutenberg was founded in 1971.\n\n" + BOOK + "\nProject Gutenberg lives on.\n",
        "The Project Gutenberg EBook of X\n\n" + prose(20) + f"\n{QUOTED.format('START')}\n\n" + BOOK,
    ],
)
def test_the_middle_stays_whatever_it_quotes(text: str) -> None:
    assert stripped(text)[0] == lines_of(text)
    # nor does it keep a real header and licence from going
    assert stripped(HEADER + text + END + LICENCE)[0] == lines_of(text)


def test_what_looks_unlike_the_project_stays_and_its_place_is_noted() -> None:
    text = BOOK + "\nEnd of the Project Gutenberg Etext of The Thing, Volume One\n\n" + prose(40, "second")
    _, _, tally = stripped(text)
    assert tally.counters["gutenberg.kept_whole"] == 1
    (place,) = tally.damage
    assert place.locator == f"b.txt line={len(BOOK.splitlines()) + 2}"
    assert "does not look like a header or a licence" in place.reason


def test_of_unlike_text_no_more_than_a_tenth_of_the_book_goes() -> None:
    unlike = prose(6, "unlike")  # 1,000 characters
    header = HEADER.replace("Title:", unlike + "\nTitle:") + LICENCE[:4000].replace("\n\n", "\n") + "\n"
    header = header.replace("*** START OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK ***\n", "") + QUOTED.format("START")
    assert stripped(header + "\n\n" + prose(60))[0] == lines_of(prose(60))
    assert stripped(header + "\n\n" + prose(5))[0] == lines_of(header + "\n\n" + prose(5))


def test_prose_behind_the_licence_stays() -> None:
    assert stripped(HEADER + BOOK + END + LICENCE + "\n" + prose(2, "last"))[0] == lines_of(BOOK + prose(2, "last"))


def test_few_lines_are_held() -> None:
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in itertools.chain(["End of Project Gutenberg's EBook of X, by Y"], itertools.repeat("More of it.")):
            taken += 1
            yield line

    _, body = strip_gutenberg(lines(), "b.txt", Tally())
    for given, _ in enumerate(itertools.islice(body, 20_000)):
        assert taken <= given + 4002


def test_reading_ahead_is_bounded() -> None:
    """A header of much that is not known asks for a book of ten times its length: not in lines without an end."""
    taken = 0
    known = "The Project Gutenberg eBook of A Small Book"

    def lines() -> Iterator[str]:
        nonlocal taken
        unlike = ["Nobody knows this line of a header. " * 12] * 900
        for line in itertools.chain([known, ""], unlike, [QUOTED.format("START"), ""], itertools.repeat(known)):
            taken += 1
            yield line

    next(strip_gutenberg(lines(), "b.txt", Tally())[1])
    assert taken <= 101_000


def test_many_small_books_in_one_file_are_weighed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counting(line: str) -> bool:
        nonlocal asked
        asked += 1
        return looks_own(line)

    monkeypatch.setattr("preprocessing.sources.books.gutenberg.looks_own", counting)
    unlike = "Nobody knows this line of a long header.\n" * 3
    text = (HEADER + prose(4) + END + LICENCE[:2000] + f"\n\n{unlike}\n" + LICENCE[:2000]) * 200
    stripped(text)
    assert asked < 4 * text.count("\n")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***", "start"),
        ("***START OF THE PROJECT GUTENBERG EBOOK, EMMA***", "start"),
        ("*** BEGINN DIESES PROJEKT GUTENBERG EBOOK ***", "start"),
        ("*** END OF THE PROJECT GUTENBERG EBOOK M*A*S*H ***", "alone"),
        ("End of Project Gutenberg's Alice's Adventures in Wonderland, by Lewis Carroll", "end"),
        ("End of the Project Gutenberg EBook of Faust", "end"),
        ("Fin du Projet Gutenberg Etexte de Candide", "end"),
        ("*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*", "print_end"),
        ("***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***", "print"),
        ("Project Gutenberg's Emma, by Jane Austen", "title"),
        ("*** START OF THE PROJECT GUTENBERG EBOOK EMMA *** he said", ""),
        ("She said: *** END OF THE PROJECT GUTENBERG EBOOK ***", ""),
        ("End of Project Gutenberg was near.", ""),
        ("The small print was too small.", ""),
        (" " * 100_000 + "Gutenberg", ""),
    ],
)
def test_marks(line: str, kind: str) -> None:
    assert kind_of(line, after_blank=True) == kind


@pytest.mark.parametrize(
    ("block", "is_credit"),
    [
        ("Produced by A. Volunteer", True),
        ("Produced by the Distributed Proofreaders", True),
        ("[This etext was prepared for Project Gutenberg by X]", True),
        ("Transcriber's Note:\n" + "Line of it.\n" * 30, True),
        ("The Project Gutenberg Etext of Emma", True),
        ("produced by heat, the wind rose.", False),
        ("She read at Project Gutenberg all the evening.", False),
        ('He quoted "START OF THE PROJECT GUTENBERG EBOOK" in a letter.', False),
    ],
)
def test_credits_at_the_front(block: str, is_credit: bool) -> None:
    assert is_front_credit(block.splitlines(), 0) == is_credit
    assert not is_front_credit(block.splitlines(), 61)
