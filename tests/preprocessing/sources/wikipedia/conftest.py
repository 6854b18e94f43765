"""Hand-made dumps: what MediaWiki writes, page by page."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.wikipedia.articles import read_articles
from preprocessing.tally import Tally
from preprocessing.wikitext import WikitextOptions

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <namespaces>
      <namespace key="-2" case="first-letter">Media</namespace>
      <namespace key="0" case="first-letter" />
      <namespace key="6" case="first-letter">Berkas</namespace>
      <namespace key="10" case="first-letter">Template</namespace>
      <namespace key="14" case="first-letter">Flokkur</namespace>
    </namespaces>
  </siteinfo>
"""
TAIL = "</mediawiki>\n"


@dataclass(frozen=True)
class Range:
    path: str
    file: str
    start: int
    end: int
    compression: str
    seek: str = ""


class Dumps:
    """Makes dumps and reads them."""

    head = HEAD
    tail = TAIL

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages = [self.page(n, f"Page {n} has {'many ' * (n * 7 % 40)}words é.") for n in range(1, 61)]

    @staticmethod
    def page(
        number: int,
        text: str,
        title: str = "",
        namespace: str | None = "0",
        extra: str = "",
        model: str = "wikitext",
    ) -> str:
        """One page; `text` is escaped already."""
        ns = "" if namespace is None else f"<ns>{namespace}</ns>"
        return f"""  <page>
    <title>{title or f"Page {number}"}</title>
    {ns}
    <id>{number}</id>
    {extra}
    <revision>
      <id>{number + 1000}</id>
      <contributor><username>A &lt;page&gt;</username><id>7</id></contributor>
      <model>{model}</model>
      <format>text/x-wiki</format>
      <text bytes="{len(text)}" xml:space="preserve">{text}</text>
      <sha1>abc</sha1>
    </revision>
  </page>
"""

    @staticmethod
    def dump(*pages: str) -> bytes:
        return (HEAD + "".join(pages) + TAIL).encode()

    def write(self, data: bytes, name: str = "dump.xml") -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    @staticmethod
    def range(path: Path, compression: str = "", start: int = 0, end: int | None = None) -> Range:
        return Range(str(path), path.name, start, os.path.getsize(path) if end is None else end, compression)

    def read(
        self,
        path: Path,
        compression: str = "",
        ranges: list[tuple[int, int]] | None = None,
        options: WikitextOptions | None = None,
    ) -> tuple[list[RawDocument], Tally]:
        """The articles of a file, range by range; checks that every page is accounted for."""
        tally = Tally()
        articles: list[RawDocument] = []
        for start, end in ranges or [(0, os.path.getsize(path))]:
            split = self.range(path, compression, start, end)
            articles.extend(read_articles(split, options or WikitextOptions(), tally))
        assert tally.documents_in == len(articles) + sum(tally.dropped.values())
        return articles, tally


@pytest.fixture
def dumps(tmp_path: Path) -> Dumps:
    return Dumps(tmp_path)
