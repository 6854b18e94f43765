"""Dumps that are broken: what can be read is read, and each fault is one clear sentence."""

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from preprocessing.errors import PreprocessingError
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.wikipedia.articles import read_articles
from preprocessing.tally import Tally
from preprocessing.wikitext import WikitextOptions

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "bz2": bz2.compress,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
}


def fault(dumps: Any, path: Path, compression: str = "") -> str:
    with pytest.raises(PreprocessingError) as caught:
        dumps.read(path, compression)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\0" * 5000, "is not a MediaWiki XML dump"),
        (b"Just text, no dump.", "begins with 'Just text, no dump.'"),
        (b'{"text": "a"}', "is not a MediaWiki XML dump"),
        (b"<html><page></page></html>", "is not a MediaWiki XML dump"),
        (b"\xff\xfe<\0m\0e\0d\0i\0a\0w\0i\0k\0i\0>\0", "is not a MediaWiki XML dump"),
        (b"x" * 50_000_000, "is not a MediaWiki XML dump"),
        (b'<?xml version="1.0"?><!DOCTYPE mediawiki><mediawiki>', "declares DOCTYPE"),
        (b'<!DOCTYPE a [<!ENTITY a "&b;&b;"><!ENTITY b "&c;&c;">]><mediawiki>&a;</mediawiki>', "declares DOCTYPE"),
        (b"<mediawiki>", "ends at byte 11 without </mediawiki>"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_files_that_are_no_dump(dumps: Any, content: bytes, words: str) -> None:
    assert words in fault(dumps, dumps.write(content))


def test_a_folder(dumps: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "folder is a folder" in fault(dumps, folder)


def test_a_missing_file(dumps: Any, tmp_path: Path) -> None:
    split = dumps.range(dumps.write(b"x"))
    (tmp_path / "dump.xml").unlink()
    with pytest.raises(PreprocessingError, match=r"dump\.xml cannot be read: No such file"):
        list(read_articles(split, WikitextOptions(), Tally()))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda page: page.replace("Broken", "Bro&bogus;ken"), "an undefined entity &bogus; at character 3"),
        (lambda page: page.replace("Broken", "Bro & ken"), "an undefined entity & at character 4"),
        (lambda page: page.replace("Broken", "Bro&#0;ken"), "the forbidden character number &#0;"),
        (lambda page: page.replace("Broken", "Bro\0ken"), "a NUL byte at character 3"),
        (lambda page: page.replace("Broken", "Bro<b>ken"), 'an unescaped "<" at character 3'),
        (lambda page: page.replace("</text>", ""), "its <text> has no end"),
        (lambda page: page.replace("<text", "<txt"), "it has no <text>"),
        (lambda page: page.replace("<title>", "<titel>"), "it has no <title>"),
        (lambda page: page.replace("<ns>0</ns>", "<ns>zero</ns>"), "its title or namespace is broken"),
        (lambda page: page.replace("</page>", ""), "it has no </page>"),
    ],
)
def test_a_malformed_page_is_rejected_and_the_rest_goes_on(
    dumps: Any, broken: Callable[[str], str], reason: str
) -> None:
    pages = (dumps.page(1, "Good."), broken(dumps.page(2, "Broken")), dumps.page(3, "Good too."))
    articles, tally = dumps.read(dumps.write(dumps.dump(*pages)))
    assert [article.locator for article in articles] == ["1", "3"]
    assert tally.dropped == {"malformed": 1}
    (rejection,) = tally.rejections
    assert rejection.locator == "dump.xml#2"
    assert reason in rejection.reason


def test_a_page_without_a_number_is_rejected(dumps: Any) -> None:
    page = dumps.page(2, "Broken").replace("<id>", "<number>")
    _, tally = dumps.read(dumps.write(dumps.dump(page, dumps.page(3, "Good."))))
    assert [(r.locator, r.reason) for r in tally.rejections] == [("dump.xml#?", "it has no <id>")]


def test_invalid_utf8_is_rejected_with_its_place(dumps: Any) -> None:
    data = dumps.dump(dumps.page(1, "Caf@"), dumps.page(2, "Good.")).replace(b"Caf@", b"Caf\xe9")
    articles, tally = dumps.read(dumps.write(data))
    assert [article.locator for article in articles] == ["2"]
    assert tally.rejections[0].reason == "invalid UTF-8 at byte 3 of its text"


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_a_truncated_dump_yields_every_complete_page(dumps: Any, compression: str, share: float) -> None:
    data = COMPRESS[compression](dumps.dump(*dumps.pages))
    path = dumps.write(data[: int(len(data) * share)])
    tally = Tally()
    articles: list[RawDocument] = []
    stream = read_articles(dumps.range(path, compression), WikitextOptions(), tally)
    with pytest.raises(PreprocessingError, match=r"dump\.xml ends .*at byte [\d,]+.*--accept-truncated") as caught:
        articles.extend(stream)  # keeps what came before the error
    assert f"{path.stat().st_size:,}" in str(caught.value)
    assert [article.locator for article in articles] == [str(number) for number in range(1, len(articles) + 1)]
    if not compression:
        assert len(articles) == data[: int(len(data) * share)].count(b"</page>") > 0

    accepted, tally = dumps.read(path, compression, options=WikitextOptions(accept_truncated=True))
    assert accepted == articles
    assert tally.counters["truncated_files"] == 1


@pytest.mark.parametrize("compression", ["bz2", "gzip", "xz", "zstd"])
def test_a_damaged_file_names_the_place(dumps: Any, compression: str) -> None:
    data = bytearray(COMPRESS[compression](dumps.dump(*dumps.pages)))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    assert "is damaged near byte" in fault(dumps, dumps.write(bytes(data)), compression)


def test_a_page_over_the_limit_is_rejected_in_bounded_memory(dumps: Any) -> None:
    huge = dumps.page(2, "Many words. " * 4_000_000)
    path = dumps.write(dumps.dump(dumps.page(1, "Good."), huge, dumps.page(3, "Good too.")))
    del huge
    tracemalloc.start()
    articles, tally = dumps.read(path, options=WikitextOptions(page_limit_bytes=4 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [article.locator for article in articles] == ["1", "3"]
    assert [(r.locator, r.reason) for r in tally.rejections] == [
        ("dump.xml#2", "its XML is larger than 4,194,304 bytes")
    ]
    assert peak < 32 << 20


@pytest.mark.parametrize(
    ("compression", "size", "limit"),
    [
        ("bz2", 40_000_000, 20_000_000),
        ("gzip", 40_000_000, 20_000_000),
        ("xz", 40_000_000, 20_000_000),
        ("zstd", 100_000_000, 60_000_000),  # has no output limit: 512 stored bytes may become 16 MB
    ],
)
def test_a_bomb_is_decompressed_in_bounded_memory(dumps: Any, compression: str, size: int, limit: int) -> None:
    path = dumps.write(COMPRESS[compression](dumps.head.encode() + b" " * size))
    tracemalloc.start()
    assert "without </mediawiki>" in fault(dumps, path, compression)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < limit


def test_a_large_page_on_one_line_is_read(dumps: Any) -> None:
    words = "word " * 2_000_000
    articles, _ = dumps.read(dumps.write(dumps.dump(dumps.page(1, words))))
    assert articles[0].paragraphs == [words.strip()]
