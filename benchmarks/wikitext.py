"""How fast and how faithful the wikitext reader is, against mwparserfromhell on the same pages.

    python -m benchmarks.wikitext [DUMP]

prints one JSON object. Without a dump it reads the excerpt of English Wikipedia that the `gensim` package carries.
Both sides are timed in CPU seconds of one process, turn by turn, page by page. The quality figure is the F1 of words
(as multisets, over all pages) against mwparserfromhell's `strip_code`, from whose tree everything was taken that the
reader leaves out on purpose: references, tables, files, categories, galleries, formulas, code, headings.
"""

import argparse
import importlib.util
import json
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.command import benchmark_parser, run
from cluster.demo.sample_corpus import DUMP
from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.stored_stream import StoredStream
from preprocessing.sources.wikipedia.head import read_head
from preprocessing.sources.wikipedia.pages import Page, read_pages
from preprocessing.wikitext import Site, WikitextOptions, extract
from preprocessing.wikitext.links import is_hidden
from preprocessing.wikitext.markup_tokens import DROPPED_TAGS

_WORD = re.compile(r"\w+")
# Lists are kept here, since mwparserfromhell keeps them.
_OPTIONS = WikitextOptions(keep_lists=True)


@dataclass(frozen=True)
class Pages:
    """Wikitext of the articles of a dump, and the names of its namespaces."""

    texts: tuple[str, ...]
    site: Site

    @property
    def megabytes(self) -> float:
        return sum(len(text.encode()) for text in self.texts) / 1e6


def read_wikitext(dump: Path) -> Pages:
    """The wikitext of every article of a dump that is no redirect."""
    compression = detect_compression(str(dump))
    with StoredStream(str(dump), dump.name, compression) as stream:
        head = read_head(stream)
    site = Site.from_namespaces(head.namespaces, head.language)
    with StoredStream(str(dump), dump.name, compression, 0, os.path.getsize(dump)) as stream:
        pages = [page for page in read_pages(stream, _OPTIONS.page_limit_bytes) if isinstance(page, Page)]
    return Pages(tuple(page.text() for page in pages if page.namespace == 0 and not page.is_redirect), site)


def sample_dump() -> Path:
    """The excerpt of a real dump (6 MB of XML) inside the installed `gensim` package; FileNotFoundError without it."""
    package = importlib.util.find_spec("gensim")
    if package is None or package.origin is None or not (dump := Path(package.origin).parent / DUMP).is_file():
        raise FileNotFoundError("gensim is not installed: install the demo extra, or give a dump")
    return dump


def wikitext_mb_per_second(pages: Pages, repeats: int = 5) -> float:
    """Megabytes of wikitext that one core turns into paragraphs in a second: the median of `repeats`."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        for text in pages.texts:
            extract(text, _OPTIONS, pages.site)
        seconds.append(time.process_time() - start)
    return pages.megabytes / statistics.median(seconds)


def wikitext_over_mwparserfromhell(pages: Pages) -> float:
    """How many times faster than mwparserfromhell's `parse(text).strip_code()`, the two taking turns on every page."""
    import mwparserfromhell

    ours = theirs = 0.0
    for text in pages.texts:
        start = time.process_time()
        extract(text, _OPTIONS, pages.site)
        middle = time.process_time()
        mwparserfromhell.parse(text).strip_code()
        ours, theirs = ours + middle - start, theirs + time.process_time() - middle
    return theirs / ours


def wikitext_f1(pages: Pages) -> dict[str, float]:
    """Precision, recall and F1 of words against the reference."""
    common = ours = theirs = 0
    for text in pages.texts:
        found = _words(extract(text, _OPTIONS, pages.site).paragraphs)
        wanted = _words([reference_text(text, pages.site)])
        common += (found & wanted).total()
        ours += found.total()
        theirs += wanted.total()
    precision, recall = common / ours, common / theirs
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


def reference_text(text: str, site: Site) -> str:
    """What mwparserfromhell leaves of a page without the parts that the reader leaves out on purpose."""
    import mwparserfromhell

    tree = mwparserfromhell.parse(text)
    removed: list[Any] = [
        *tree.ifilter_tags(matches=lambda tag: str(tag.tag).lower() in DROPPED_TAGS | {"table"}),
        *tree.ifilter_wikilinks(matches=lambda link: is_hidden(str(link.title), site)),
        *tree.ifilter_headings(),
    ]
    for node in removed:
        try:
            tree.remove(node)
        except ValueError:  # it went with a node around it
            continue
    return str(tree.strip_code(normalize=True))


def _words(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(text))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("wikitext", __doc__)
    text = "a pages-articles dump or an excerpt of one (default: the excerpt in the gensim package)"
    parser.add_argument("dump", type=Path, nargs="?", help=text)
    parser.add_argument("--pages", type=int, help="read no more than the first pages (default: all)")
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures both and prints the figures."""
    dump = arguments.dump or sample_dump()
    if not dump.is_file():
        raise PreprocessingError(f"{dump}: no such file; give a pages-articles dump.")
    pages = read_wikitext(dump)
    pages = replace(pages, texts=pages.texts[: arguments.pages])
    rate = wikitext_mb_per_second(pages)
    result = {
        "wikitext_mb": round(pages.megabytes, 2),
        "wikitext_mb_per_second": round(rate, 1),
        "wikitext_over_mwparserfromhell": round(wikitext_over_mwparserfromhell(pages), 1),
        **{name: round(value, 4) for name, value in wikitext_f1(pages).items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
