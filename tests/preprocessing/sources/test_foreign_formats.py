"""Files that were given as something else: each is said to be what it is, and nothing of it is taken for text."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import pytest
import zstandard

from preprocessing.errors import PreprocessingError
from preprocessing.sources.foreign_formats import foreign_format
from preprocessing.sources.options import InputOptions, ReaderOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.readers import reader_of
from preprocessing.tally import Tally

SENTENCES = b"The harbour lies in the north.\nIt is old.\n\nAnother text begins.\n"
ROWS = json.dumps({"text": "The harbour lies in the north."}).encode() + b"\n"
TABLE = pa.table({"text": ["The harbour lies in the north.", "It is old."]})


def read(source: str, data: bytes, folder: Path) -> list[RawDocument]:
    path = folder / "file.bin"
    path.write_bytes(data)
    pieces = [
        piece for split in plan_splits(InputOptions.model_validate({source: (str(path),)})) for piece in split.pieces()
    ]
    return [found for piece in pieces for found in reader_of(source)(piece, ReaderOptions(), Tally())]


def tar(data: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("texts/a.txt")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", data)
    return stream.getvalue()


def written(write: object) -> bytes:
    stream = io.BytesIO()
    write(stream)  # type: ignore[operator]
    return stream.getvalue()


FOREIGN = {
    "a zip archive": zipped(SENTENCES),
    "a tar archive": tar(SENTENCES),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(range(100)),
    "a rar archive": b"Rar!\x1a\x07\x01\0" + bytes(100),
    "lzma data": lzma.compress(SENTENCES, format=lzma.FORMAT_ALONE),
    "data of `compress`": b"\x1f\x9d\x90" + bytes(range(100)),
    "lz4 data": b"\x04\x22\x4d\x18\x64\x40\xa7" + bytes(100),
    "an Arrow file": written(lambda stream: pyarrow.feather.write_feather(TABLE, stream)),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "an SQL dump": b"-- MariaDB dump 10.19\n--\nINSERT INTO `page` VALUES (1,0,'A');\n",
    "an HTML page": b"\n<!doctype html>\n<html><head><title>502 Bad Gateway</title></head></html>\n",
    "XML": b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n',
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("source", ["sentences", "jsonlines", "parquet"])
def test_what_a_file_is_instead(name: str, source: str, tmp_path: Path) -> None:
    with pytest.raises(PreprocessingError, match=f"^file.bin is not .* but {name}.*; [^\n]*\\.$"):
        read(source, FOREIGN[name], tmp_path)


@pytest.mark.parametrize("name", [name for name in FOREIGN if name != "XML"])
def test_what_is_given_as_a_dump(name: str, tmp_path: Path) -> None:
    with pytest.raises(PreprocessingError, match=f"^file.bin is not a MediaWiki XML dump but {name}"):
        read("wikipedia", FOREIGN[name], tmp_path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
@pytest.mark.parametrize(("source", "text"), [("sentences", SENTENCES), ("jsonlines", ROWS)])
def test_inside_compressed_data(compress: object, source: str, text: bytes, tmp_path: Path) -> None:
    assert read(source, compress(text), tmp_path)  # type: ignore[operator]
    with pytest.raises(PreprocessingError, match="a tar archive"):
        read(source, compress(tar(text * 50)), tmp_path)  # type: ignore[operator]
    with pytest.raises(PreprocessingError, match="compressed twice"):
        read(source, compress(compress(text)), tmp_path)  # type: ignore[operator]


def test_tables_of_other_formats_as_parquet(tmp_path: Path) -> None:
    for write, name in (
        (lambda stream: pyarrow.orc.write_table(TABLE, stream), "ORC"),
        (lambda stream: pa.ipc.new_stream(stream, TABLE.schema).close(), "an Arrow stream"),
    ):
        with pytest.raises(PreprocessingError, match=f"is not Parquet but {name}; write it as Parquet"):
            read("parquet", written(write), tmp_path)
    parquet = written(lambda stream: pyarrow.parquet.write_table(TABLE, stream))
    with pytest.raises(PreprocessingError, match="is not Parquet but gzip data; unpack it"):
        read("parquet", gzip.compress(parquet), tmp_path)
    with pytest.raises(PreprocessingError, match="is encrypted Parquet"):
        read("parquet", b"PARE" + parquet[4:-4] + b"PARE", tmp_path)
    with pytest.raises(PreprocessingError, match="is not a readable Parquet file"):  # damaged, but it is one
        read("parquet", parquet[:-20], tmp_path)
    with pytest.raises(PreprocessingError, match="is not text but Parquet; give it by --parquet"):
        read("sentences", parquet, tmp_path)


def test_json_given_as_sentences(tmp_path: Path) -> None:
    for text in (ROWS, b'[{"text": "a"}]', b'[\n  {\n "text": "a"}]'):
        with pytest.raises(PreprocessingError, match="is not text but JSON; give objects, one a line, by --jsonlines"):
            read("sentences", text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"PK is short for Peter.",
        b"PAR1 is a name.",
        b"ORC\nis a monster.",
        b"BZh91 is a code.",
        b"LZIP is a program.",
        b"{\\rtf is markup, and [he] said.",
        b"<p> begins a paragraph.",
        b'["No," he said.]',
        b"Rar! they cried.",
        b"-- a dialogue begins so.",
    ],
)
def test_texts_that_begin_alike(text: bytes, tmp_path: Path) -> None:
    assert foreign_format(text) == ""
    assert read("sentences", text + b"\n\nMore.\n", tmp_path)[0].paragraphs[0] == text.decode().split("\n")[0]


@pytest.mark.parametrize("size", [3, 4, 7, 9, 10, 30])
def test_a_file_of_bzip2_that_ends_early_is_still_one(size: int, tmp_path: Path) -> None:
    with pytest.raises(PreprocessingError, match="bz2"):
        read("sentences", bz2.compress(SENTENCES)[:size], tmp_path)
