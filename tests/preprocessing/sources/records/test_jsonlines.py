"""JSON lines as they are met: what a row may hold beside its text, and files that are something else."""

import bz2
import gzip
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import TRAILING_BYTES, detect_compression
from preprocessing.sources.lines import NO_RECORDS
from preprocessing.sources.options import LimitOptions, ReaderOptions
from preprocessing.sources.records.jsonlines import REPEATED_FIELDS, read_jsonlines
from preprocessing.sources.records.record_text import HALF_SURROGATES
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

Found = list[tuple[str, list[str]]]


def read(folder: Path, data: bytes, options: ReaderOptions | None = None) -> tuple[Found, Tally]:
    path = folder / "rows.jsonl"
    path.write_bytes(data)
    tally = Tally()
    piece = Split("jsonlines", str(path), path.name, 0, len(data), detect_compression(str(path)))
    found = [(d.locator, d.paragraphs) for d in read_jsonlines(piece, options or ReaderOptions(), tally)]
    assert tally.documents_in == len(found) + sum(tally.dropped.values())
    return found, tally


@pytest.mark.parametrize(
    "beside",
    [
        *('"n": NaN', '"n": -Infinity', '"n": 1' + "0" * 5000, '"n": -' + "9" * 4301, '"n": 1e999999'),
        *('"n": {"text": "b"}', '"n": [' + "[" * 300 + "]" * 300 + "]", '"n": "\\ud800"', '"\\ud800": 1', '"": null'),
    ],
)
def test_what_stands_beside_the_text_costs_nothing(tmp_path: Path, beside: str) -> None:
    found, tally = read(tmp_path, f'{{"text": "a", {beside}}}\n{{{beside}, "text": "b"}}\n'.encode())
    assert [paragraphs for _, paragraphs in found] == [["a"], ["b"]]
    assert tally.counters == {"documents_in": 2}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *(("NaN", "float"), ("7", "int"), ("9" * 5000, "int"), ("true", "bool")),
        *(('["a", "b"]', "list"), ('{"a": "b"}', "dict")),
    ],
)
def test_a_text_that_is_none_is_counted_with_its_type(tmp_path: Path, value: str, kind: str) -> None:
    found, tally = read(tmp_path, f'{{"text": {value}}}\n{{"text": "b"}}\n'.encode())
    assert len(found) == 1
    assert tally.rejections[0].reason == f"row 1: no text in field 'text'; it has 'text'; there it holds {kind}"


def test_of_a_field_named_twice_the_last_counts_and_it_is_said(tmp_path: Path) -> None:
    rows = b'{"text": "a", "text": "b"}\n{"text": "c", "o": {"text": "d"}}\n{"text": "\\"text\\""}\n'
    found, tally = read(tmp_path, rows)
    assert [paragraphs for _, paragraphs in found] == [["b"], ["c"], ['"text"']]
    assert tally.counters[REPEATED_FIELDS] == 1


def test_half_a_surrogate_pair_is_counted(tmp_path: Path) -> None:
    found, tally = read(tmp_path, b'{"text": "a\\ud83d b \\ud83d\\ude00 \xef\xbf\xbd", "title": "\\udc00"}\n')
    assert found == [("byte=0", ["a\ufffd b \U0001f600 \ufffd"])]
    assert tally.counters[HALF_SURROGATES] == 2


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n", b"\n\r", b"\n\n"])
def test_rows_may_end_in_any_way(tmp_path: Path, end: bytes) -> None:
    row = b'{"text": "a"}'
    found, tally = read(tmp_path, end.join([row, row, b"{broken", row]) + end)
    begin = len(row + end) - (end == b"\n\r")
    assert [locator for locator, _ in found][:2] == ["byte=0", f"byte={begin}"]
    assert (len(found), tally.dropped) == (3, {"malformed": 1})


def test_a_carriage_return_inside_a_row_is_blank_space(tmp_path: Path) -> None:
    assert read(tmp_path, b'{"text":\r"a"}\n')[0] == [("byte=0", ["a"])]


def test_every_file_that_was_joined_may_have_a_mark(tmp_path: Path) -> None:
    found, tally = read(tmp_path, b'\xef\xbb\xbf{"text": "a"}\n' * 2)
    assert (len(found), tally.dropped) == (2, {})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(PreprocessingError, match=r"^rows\.jsonl is in UTF-16 or UTF-32; .* `iconv"):
        read(tmp_path, '{"text": "a"}\n{"text": "b"}\n'.encode(encoding))


@pytest.mark.parametrize(
    "data", [b'[\n{"text": "a"},\n{"text": "b"}\n]\n', b'[{"text": "a"}]', b'\xef\xbb\xbf  [ {"text": "a"},\n', b"[\n"]
)
def test_an_array_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(PreprocessingError, match=r"^rows\.jsonl is one JSON array, not an object a line"):
        read(tmp_path, data)


@pytest.mark.parametrize("row", [b"[" * 100_000, b'{"a":' * 100_000, b"[1, 2]", b"\0" * 9, b"\xff\xfe\xfd", b"nul"])
def test_a_bad_row_among_good_ones_is_counted(tmp_path: Path, row: bytes) -> None:
    for rows in ([b'{"text": "a"}', row], [row, b'{"text": "a"}']):
        found, tally = read(tmp_path, b"\n".join(rows))
        assert (len(found), tally.dropped) == (1, {"malformed": 1})
        assert tally.rejections[0].reason.startswith(f"row {1 + rows.index(row)}: ")


@pytest.mark.parametrize("data", [b"\n", b" \r\n\n\t\n", gzip.compress(b"", mtime=0), bz2.compress(b"\n\n")])
def test_a_file_without_rows_is_said(tmp_path: Path, data: bytes) -> None:
    found, tally = read(tmp_path, data)
    assert (found, tally.counters) == ([], {NO_RECORDS: 1})


def test_bytes_behind_a_compressed_end_cost_no_row(tmp_path: Path) -> None:
    found, tally = read(tmp_path, gzip.compress(b'{"text": "a"}') + b"signature")
    assert (len(found), tally.counters[TRAILING_BYTES]) == (1, 9)


def test_a_row_above_the_limit_is_counted_wherever_it_stands(tmp_path: Path) -> None:
    options = ReaderOptions(limits=LimitOptions(line_bytes=100))
    found, tally = read(tmp_path, b'{"text": "a"}\n{"text": "' + b"x" * 5000 + b'"}\n{"text": "b"}', options)
    assert [paragraphs for _, paragraphs in found] == [["a"], ["b"]]
    assert tally.dropped == {"malformed": 1}
