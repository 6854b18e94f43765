"""Data sets as they are met: columns of mixed types, strings that are none, and what the library cannot read on."""

import json
import shlex
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.options import InputOptions, ReaderOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.records.huggingface import read_dataset
from preprocessing.tally import Tally

TEXT = "Row {} holds a sentence that is long enough to be kept by every rule."


def rows(count: int, first: int = 0) -> bytes:
    return b"".join(json.dumps({"text": TEXT.format(first + n), "n": 1}).encode() + b"\n" for n in range(count))


def read(path: Path) -> tuple[list[str], Tally]:
    tally = Tally()
    found = []
    for split in plan_splits(InputOptions(dataset=(str(path),))):
        found += [d.locator for d in read_dataset(split, ReaderOptions(), tally)]
    assert tally.documents_in == len(found) + sum(tally.dropped.values())
    return found, tally


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("value", ['["a"]', "7", "NaN", '{"a": "b"}', "null"])
def test_a_value_of_another_type_is_counted(tmp_path: Path, value: str) -> None:
    data = rows(3) + f'{{"text": {value}, "n": 1}}\n'.encode() + rows(2)
    found, tally = read(write(tmp_path / "a.jsonl", data))
    assert (len(found), tally.dropped) == (5, {"malformed": 1})
    assert tally.rejections[0].locator == "a.jsonl/train shard=0;row=3"


def test_a_string_that_is_not_utf8_is_counted(tmp_path: Path) -> None:
    texts = pa.array([b"one", b"caf\xe9", b"two"], pa.binary())
    for name, column in (("strings", texts.view(pa.string())), ("bytes", texts)):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"text": column, "title": column}), path)
        found, tally = read(path)
        assert found == ["shard=0;row=0", "shard=0;row=2"]
        assert [r.reason for r in tally.rejections] == ["not UTF-8 at byte 3 of column 'text'"]


def test_a_column_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [["a"]]}), tmp_path / "p.parquet")
    with pytest.raises(PreprocessingError, match=r"column 'text' holds list<.*>, not text; name another"):
        read(tmp_path / "p.parquet")


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A file with another column in its last rows: the library learns its columns from the first 10 MB."""
    blank = b" " * (11 << 20)
    other = b'{"text": "%s", "m": "x"}\n' % TEXT.encode()
    return write(tmp_path / "late.jsonl", rows(1) + blank + b"\n" + rows(1) + other + rows(3))


def test_what_the_library_cannot_read_is_one_sentence_whose_advice_succeeds(late: Path) -> None:
    with pytest.raises(PreprocessingError, match=r"the library `datasets` cannot read on \(") as caught:
        read(late)
    message = str(caught.value)
    assert not isinstance(caught.value, TransientError)
    assert "\n" not in message
    assert "run the same command again" not in message
    option = next(word for word in shlex.split(message.replace(",", " ").replace("`", "")) if word.startswith("--json"))
    splits = plan_splits(InputOptions(**{option.removeprefix("--"): (str(late),)}))
    assert sum(1 for split in splits for _ in read_documents(split, DocumentOptions(), Tally())) == 6
    tally = Tally()
    (split,) = plan_splits(InputOptions(dataset=(str(late),)))
    kept = list(read_documents(split, DocumentOptions(skip_bad_files=True), tally))
    assert kept
    assert (tally.dropped, tally.unaccounted) == ({"bad_file": 1}, 0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionError("reset\nby peer"), TransientError),
        (datasets.exceptions.DatasetGenerationError("An error occurred"), PreprocessingError),
        (pa.ArrowInvalid("cast"), PreprocessingError),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid"), PreprocessingError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_is_raised_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[PreprocessingError]
) -> None:
    path = write(tmp_path / "a.jsonl", rows(3))

    def refuse(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("datasets.IterableDataset.iter", refuse)
    with pytest.raises(kind) as caught:
        read(path)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_damaged_parquet_is_one_sentence(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [TEXT.format(n) for n in range(99)]}), tmp_path / "p.parquet")
    data = (tmp_path / "p.parquet").read_bytes()
    write(tmp_path / "p.parquet", data[:60] + bytes(100) + data[160:])
    with pytest.raises(PreprocessingError, match=r"read it by --parquet, which counts a bad row and goes on, mend it"):
        read(tmp_path / "p.parquet")
