"""JSON lines, from the file to its documents."""

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from preprocessing.documents.document import Document
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import LimitOptions, RecordOptions
from tests.preprocessing.documents.rows import TEXT, read, sentences_of

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: zstandard.compress(data[:40]) + zstandard.compress(data[40:]),
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_json_lines(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": TEXT.format(i), "title": f"Row {i}", "other": [1, {"x": None}]} for i in range(3)]
    data = "\n".join(map(json.dumps, rows)).encode()
    path = tmp_path / f"rows.jsonl{suffix}"
    path.write_bytes(COMPRESSORS[suffix](data))
    documents, _ = read(inputs={"jsonlines": (str(path),)})
    offset = len(json.dumps(rows[0])) + 1
    assert documents[1] == Document("jsonlines", path.name, f"byte={offset}", "Row 1", sentences_of(1))
    assert len(documents) == 3


def test_bad_rows_are_rejected_with_their_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = json.dumps({"body": TEXT.format(0)}).encode()
    bad = {
        b"{not json": "row 3: not valid JSON (Expecting property name",
        b'["a"]': "row 5: not an object but list",
        b'{"text": "x", "b": 1}': "row 7: no text in field 'body'; it has 'text', 'b'",
        b'{"body": 7}': "row 9: no text in field 'body'; it has 'body'",
        b'{"body": "\xff"}': "row 11: not valid UTF-8 at its byte 10",
        b'{"body": "a\0b"}': "row 13: not valid JSON (Invalid control character at",
        b'{"body": "' + b"x" * 2000 + b'"}': "row 15: longer than 1,500 bytes",
        b"[" * 1000: "row 17: nested too deeply",
    }
    lines = [b"\xef\xbb\xbf" + good, b""]
    for line in bad:
        lines += [line, good]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    for split_bytes in (300, 1 << 20):
        documents, tally = read(
            split_bytes,
            {"jsonlines": (str(path),)},
            records=RecordOptions(text_field="body"),
            limits=LimitOptions(line_bytes=1500),
        )
        assert len(documents) == 1 + len(bad)
        assert tally.counters["dropped.malformed"] == len(bad)
        reasons = "\n".join(rejection.reason for rejection in tally.rejections)
        for reason in bad.values():
            if not reason.startswith("row 17"):
                assert reason in reasons
        assert "row 17: " in reasons


def test_json_strings_are_paragraphs(tmp_path: Path) -> None:
    text = "A heading\n\nFirst paragraph. Two sentences.\nAnother line\u0000 here is \ud800 its own paragraph."
    (tmp_path / "r.jsonl").write_text(json.dumps({"text": text}))
    (document,), tally = read(inputs={"jsonlines": (str(tmp_path / "r.jsonl"),)})
    assert document.sentences == (
        "A heading",
        "First paragraph.",
        "Two sentences.",
        "Another line here is its own paragraph.",
    )
    assert tally.counters["cleaning.control_characters"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[\n  1,\n  2\n]\n", "is one JSON array, not an object a line; write a line for each"),
        (b'{\n  "text": "a"\n}\n', "has no readable row (row 1: not valid JSON"),
        (json.dumps({"content": "x"}).encode(), "name the field that holds the text by --records.text-field"),
        (gzip.compress(b'{"text": "a"}\n' * 9999, mtime=0)[:-10], "ends inside its gzip data"),
        (b"\x1f\x8bnonsense", "is damaged near byte"),
        (b"x" * (50 << 20), "row 1: longer than 16 MiB"),
    ],
)
def test_files_that_are_no_json_lines(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(PreprocessingError) as caught:
        read(64 << 20, {"jsonlines": (str(tmp_path / "rows.jsonl"),)})
    assert message in str(caught.value)
    assert str(caught.value).startswith("rows.jsonl ")
    assert "\n" not in str(caught.value)
