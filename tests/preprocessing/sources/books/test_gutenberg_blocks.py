"""Project Gutenberg's own text in EPUB and HTML that carry none of its classes."""

from preprocessing.sources.books.gutenberg_blocks import without_gutenberg
from preprocessing.tally import Tally

PROSE = "The clocks were striking one, and nobody in the little town could have said why they did."
HEADER = [
    (False, "The Project Gutenberg EBook of Emma, by Jane Austen"),
    (False, "This eBook is for the use of anyone anywhere at no cost and with almost no restrictions."),
    (True, "*** START OF THIS PROJECT GUTENBERG EBOOK EMMA ***"),
]
LICENCE = [
    (False, "*** END OF THIS PROJECT GUTENBERG EBOOK EMMA ***"),
    (False, "Updated editions will replace the previous one--the old editions will be renamed."),
]
BODY = [(True, "CHAPTER I"), (False, PROSE), (True, "CHAPTER II"), *[(False, PROSE)] * 8]


def test_header_and_licence_go_and_headings_stay_headings() -> None:
    tally = Tally()
    assert list(without_gutenberg([*HEADER, *BODY, *LICENCE], "b.epub", tally)) == BODY
    assert (tally.counters["gutenberg.header_lines"], tally.counters["gutenberg.footers"]) == (5, 1)


def test_a_quoted_marker_in_a_book_goes_nowhere() -> None:
    quoted = [*BODY, (False, "*** END OF THIS PROJECT GUTENBERG EBOOK EMMA ***"), *BODY * 40]
    assert list(without_gutenberg(quoted, "b.epub", Tally())) == quoted
