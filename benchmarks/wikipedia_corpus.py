"""A corpus of any size from a real dump's pages: distinct documents, in a multistream bz2 dump.

Every copy of a page has other misspellings (two inner letters swapped in 2 % of its longer words), so that no copy is
an exact duplicate and new words keep coming, as in real text: a tokenizer that remembers words is not flattered.
"""

import bz2
import importlib.util
import random
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

EXCERPT = "test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
MISSPELT = 0.02
PAGES_PER_STREAM = 100  # as in the dumps of Wikimedia

# Plain words between blanks: no markup, no entity, no attribute with a quote.
_WORD = re.compile(r"(?<= )[a-z]{5,12}(?= )")
_PAGE = re.compile(r"  <page>.*?</page>\n", re.DOTALL)


@dataclass(frozen=True)
class Excerpt:
    """A dump's head, its pages as XML, and where their plain words stand."""

    head: str
    pages: tuple[str, ...]
    words: tuple[tuple[tuple[int, int], ...], ...]


def find_excerpt() -> Path:
    """The dump excerpt in the `gensim` package (the extra `demo`)."""
    package = importlib.util.find_spec("gensim")
    if package is None or package.origin is None:
        raise SystemExit("the sample dump comes with the gensim package: pip install -e '.[demo]', or pass --dump")
    return Path(package.origin).parent / EXCERPT


def read_excerpt(dump: Path) -> Excerpt:
    """Reads a small dump whole."""
    text = bz2.decompress(dump.read_bytes()).decode()
    pages = tuple(_PAGE.findall(text))
    words = tuple(tuple(match.span() for match in _WORD.finditer(page)) for page in pages)
    return Excerpt(text[: text.index("  <page>")], pages, words)


def copy_of_pages(excerpt: Excerpt, copy: int) -> Iterator[str]:
    """The pages with the misspellings of this copy, and page ids of its own."""
    for number, (page, words) in enumerate(zip(excerpt.pages, excerpt.words, strict=True)):
        draw = random.Random(f"{copy} {number}")
        pieces, end = [], 0
        for start, stop in sorted(draw.sample(words, int(len(words) * MISSPELT))):
            inner = draw.randrange(start + 1, stop - 2)
            pieces += [page[end:inner], page[inner + 1], page[inner]]
            end = inner + 2
        changed = "".join([*pieces, page[end:]])
        yield re.sub(r"<id>(\d+)</id>", lambda match: f"<id>{match[1]}{copy:04d}</id>", changed, count=1)


def write_dump(dump: Path, target: Path, copies: range) -> None:
    """Writes the given copies of all pages of `dump` as one multistream dump."""
    excerpt = read_excerpt(dump)
    streams, pages = [bz2.compress(excerpt.head.encode())], []
    for copy in copies:
        for page in copy_of_pages(excerpt, copy):
            pages.append(page)
            if len(pages) == PAGES_PER_STREAM:
                streams.append(bz2.compress("".join(pages).encode()))
                pages = []
    streams.append(bz2.compress(("".join(pages) + "</mediawiki>\n").encode()))
    target.write_bytes(b"".join(streams))


def write_dumps(dump: Path, folder: Path, count: int, copies_each: int) -> list[Path]:
    """`count` dumps of equal size: the first one, four and sixteen make corpora of one, four and sixteen times."""
    paths = [folder / f"dump-{number:02d}.xml.bz2" for number in range(count)]
    ranges = [range(number * copies_each, (number + 1) * copies_each) for number in range(count)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_dump, [dump] * count, paths, ranges))
    return paths
