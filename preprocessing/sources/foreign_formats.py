"""What a file is that was given as something else, by how its (decompressed) bytes begin.

Some of it reads well enough to go unnoticed: the text files in a tar archive, a server's message in place of a file.
"""

import re

HEAD_BYTES = 512
_ARCHIVE = "unpack it, and give the files in it"
_TWICE = "it is compressed twice: unpack it once"
_COMPRESSED = "unpack it, or compress it by gzip, bzip2, xz or zstd"
_TABLE = "write it as Parquet"
_MESSAGE = "servers send such pages in place of a file: fetch it again, or give pages by --text"

_XML = "give the dump of a wiki by --wikipedia; where it is a server's message, fetch the file again"

_FORMATS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), f"{name}; {advice}")
    for pattern, name, advice in (
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive", _ARCHIVE),
        (rb".{257}ustar[\0 ]", "a tar archive", _ARCHIVE),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _ARCHIVE),
        (rb"Rar!\x1a\x07", "a rar archive", _ARCHIVE),
        (rb"\x1f\x8b\x08", "gzip data", _TWICE),
        (rb"BZh[1-9]1AY&SY", "bzip2 data", _TWICE),
        (rb"\xfd7zXZ\0", "xz data", _TWICE),
        (rb"\x28\xb5\x2f\xfd", "zstd data", _TWICE),
        (rb"\]\0\0.{2}", "lzma data", "unpack it by `xz -d`"),
        (rb"\x1f[\x9d\xa0]", "data of `compress`", "unpack it by `gzip -d`"),
        (rb"\x04\x22\x4d\x18", "lz4 data", _COMPRESSED),
        (rb"LZIP[\0\1]", "lzip data", _COMPRESSED),
        (rb"\xff\x06\0\0sNaPpY", "snappy data", _COMPRESSED),
        (rb"PAR1.*\0", "Parquet", "give it by --parquet"),
        (rb"ARROW1\0\0", "an Arrow file (Feather)", _TABLE),
        (rb"\xff\xff\xff\xff.{3}\0\x10\0\0\0", "an Arrow stream", _TABLE),
        (rb"FEA1.*\0", "a Feather file of the first version", _TABLE),
        (rb"ORC.*\0", "ORC", _TABLE),
        (rb"Obj\x01", "Avro", _TABLE),
        (rb"SQLite format 3\0", "an SQLite database", "export the texts in it"),
        (rb"%PDF-", "PDF", "convert it to text"),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an office program", "save it as text"),
        (
            rb"version https://git-lfs\.github\.com/spec/",
            "a pointer of Git LFS, not the file",
            "fetch it by `git lfs pull`",
        ),
        (
            rb"-- (?:MySQL|MariaDB) dump |/\*M?!\d{5,6}",
            "an SQL dump",
            "the texts of a wiki are in its pages-articles.xml",
        ),
        (rb"<!DOCTYPE\s+html|<html[\s>]", "an HTML page", _MESSAGE),
        (rb"<\?xml\s|<mediawiki[\s>]|<Error>\s*<Code>", "XML", _XML),
        (rb'\{\s*"[^"]*"\s*:|\[\s*\{\s*"', "JSON", "give objects, one a line, by --jsonlines"),
    )
)


def foreign_format(head: bytes) -> str:
    """What begins so, and what to do with it, in words that complete "it is not … but …"; "" for what may be text."""
    head = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((words for pattern, words in _FORMATS if pattern.match(head)), "")
