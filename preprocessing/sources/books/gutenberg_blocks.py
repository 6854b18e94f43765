"""Project Gutenberg's own text in books that are markup, where no class says that it is the project's."""

import itertools
from collections.abc import Iterable, Iterator

from preprocessing.sources.books.gutenberg import strip_gutenberg
from preprocessing.tally import Tally


class _Heading(str):
    """A line that is a heading; it comes out of the rules for lines as it went in."""


def without_gutenberg(blocks: Iterable[tuple[bool, str]], name: str, tally: Tally) -> Iterator[tuple[bool, str]]:
    """The blocks (is heading, text) of a book without the project's header and licence, by the rules for plain text."""
    lines = ((_Heading(text) if heading else text, "") for heading, text in blocks)
    _, kept = strip_gutenberg(itertools.chain.from_iterable(lines), name, tally)
    return ((isinstance(line, _Heading), str(line)) for line in kept if line)
