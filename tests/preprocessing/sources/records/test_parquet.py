"""Parquet as it is met: strings that are none, columns of one name, damaged row groups, files without rows."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.lines import NO_RECORDS
from preprocessing.sources.options import InputOptions, LimitOptions, ReaderOptions, RecordOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.records.parquet import LOST_ROWS, read_parquet
from preprocessing.sources.records.record_text import UNDECODABLE_TITLES
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

BAD = [b"fine", b"\x63\x61\x66\xe9", None, b"", "caf\u00e9".encode()]


def column(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    """The bytes under another name, as a careless writer stores them."""
    if pa.types.is_dictionary(kind):
        held = [value for value in values if value is not None]
        places = [None if value is None else held.index(value) for value in values]
        return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), column(held, pa.string()))
    if pa.types.is_large_string(kind):
        return pa.array(values, pa.large_binary()).view(pa.large_string())
    if pa.types.is_string(kind):
        return pa.array(values, pa.binary()).view(pa.string())
    return pa.array(values, pa.binary()).cast(kind)


def write(path: Path, table: pa.Table, **options: object) -> Split:
    pq.write_table(table, path, **options)
    return Split("parquet", str(path), path.name, 0, pq.ParquetFile(path).num_row_groups)


def read(piece: Split, options: ReaderOptions | None = None) -> tuple[list[tuple[str, str, list[str]]], Tally]:
    tally = Tally()
    found = [(d.locator, d.title, d.paragraphs) for d in read_parquet(piece, options or ReaderOptions(), tally)]
    assert tally.documents_in == len(found) + sum(tally.dropped.values())
    return found, tally


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())),
        *(pa.binary(), pa.large_binary(), pa.binary_view()),
    ],
    ids=str,
)
@pytest.mark.parametrize("rows_at_a_time", [1, 2, 256])
def test_a_row_that_is_not_utf8_is_counted_and_the_file_goes_on(
    tmp_path: Path, kind: pa.DataType, rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocessing.sources.records.parquet._ROWS_AT_A_TIME", rows_at_a_time)
    found, tally = read(write(tmp_path / "p.parquet", pa.table({"text": column(BAD, kind)})))
    assert found == [("row=0", "", ["fine"]), ("row=3", "", [""]), ("row=4", "", ["caf\u00e9"])]
    assert [(r.locator, r.reason) for r in tally.rejections] == [
        ("p.parquet row=1", "not UTF-8 at byte 3 of column 'text'"),
        ("p.parquet row=2", "null in column 'text'"),
    ]


def test_a_string_view_is_text(tmp_path: Path) -> None:
    texts = pa.array(["one", None, "two"], pa.string_view())
    found, _ = read(write(tmp_path / "p.parquet", pa.table({"text": texts})))
    assert [paragraphs for _, _, paragraphs in found] == [["one"], ["two"]]


def test_a_title_that_is_not_utf8_costs_no_text(tmp_path: Path) -> None:
    table = pa.table({"text": ["one", "two"], "title": column([b"caf\xe9", b"ok"], pa.string())})
    found, tally = read(write(tmp_path / "p.parquet", table))
    assert found == [("row=0", "caf\ufffd", ["one"]), ("row=1", "ok", ["two"])]
    assert tally.counters[UNDECODABLE_TITLES] == 1


@pytest.mark.parametrize("titles", [[["a"]], [{"a": 1}], [7]])
def test_a_title_that_is_no_text_is_none(tmp_path: Path, titles: list[object]) -> None:
    found, _ = read(write(tmp_path / "p.parquet", pa.table({"text": ["one"], "title": titles})))
    assert found == [("row=0", "", ["one"])]


def named(*names: str) -> pa.Table:
    return pa.Table.from_arrays([pa.array([f"column {place}"]) for place in range(len(names))], names=list(names))


def test_columns_of_one_name_are_refused_when_the_build_is_planned(tmp_path: Path) -> None:
    write(tmp_path / "p.parquet", named("text", "other", "text"))
    inputs = InputOptions(parquet=(str(tmp_path / "p.parquet"),))
    with pytest.raises(PreprocessingError, match=r"p\.parquet has 2 columns named 'text'; write it with one of them"):
        plan_splits(inputs, records=RecordOptions())
    assert plan_splits(inputs, records=RecordOptions(text_field="other"))
    (split,) = plan_splits(inputs)
    with pytest.raises(PreprocessingError, match="has 2 columns named 'text'"):
        read(split)


@pytest.mark.parametrize("names", [("text", "other", "other"), ("text", "Text", "TEXT"), ("text", "title", "title")])
def test_other_columns_of_one_name_and_other_cases_do_no_harm(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert read(write(tmp_path / "p.parquet", named(*names)))[0] == [("row=0", "", ["column 0"])]


def test_fields_of_one_name_inside_another_column_do_no_harm(tmp_path: Path) -> None:
    inner = pa.StructArray.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["text", "text"])
    table = pa.Table.from_arrays([pa.array(["one"]), inner], names=["text", "inner"])
    assert read(write(tmp_path / "p.parquet", table))[0] == [("row=0", "", ["one"])]


@pytest.mark.parametrize("values", [[["a", "b"]], [{"a": "b"}], [1.5], [True]])
def test_a_column_that_is_no_text_is_refused_when_the_build_is_planned(tmp_path: Path, values: list[object]) -> None:
    write(tmp_path / "p.parquet", pa.table({"text": values}))
    with pytest.raises(PreprocessingError, match=r"p\.parquet: column 'text' holds .*, not text; name another"):
        plan_splits(InputOptions(parquet=(str(tmp_path / "p.parquet"),)), records=RecordOptions())


@pytest.mark.parametrize("group", [None, 5])
def test_a_file_without_rows_is_no_fault(tmp_path: Path, group: int | None) -> None:
    schema = pa.schema([("text", pa.string())])
    with pq.ParquetWriter(tmp_path / "p.parquet", schema) as writer:
        if group:
            writer.write_table(schema.empty_table(), row_group_size=group)
    (split,) = plan_splits(InputOptions(parquet=(str(tmp_path / "p.parquet"),)), records=RecordOptions())
    found, tally = read(split)
    assert (found, tally.counters) == ([], {NO_RECORDS: 1})


def test_files_may_have_different_schemas(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"text": ["one"], "title": ["A"]}))
    write(tmp_path / "b.parquet", pa.table({"n": [1], "text": column([b"two"], pa.binary())}))
    inputs = InputOptions(parquet=(str(tmp_path / "?.parquet"),))
    found = [read(piece)[0] for split in plan_splits(inputs, records=RecordOptions()) for piece in split.pieces()]
    assert found == [[("row=0", "A", ["one"])], [("row=0", "", ["two"])]]


def test_a_row_that_is_longer_than_documents_may_be_is_counted(tmp_path: Path) -> None:
    texts = ["w" * 399, "w" * 401, "\u00e9" * 399, "\u00e9" * 401]
    limits = LimitOptions(document_characters=100)
    for kind in (pa.string(), pa.binary()):
        table = pa.table({"text": column([text.encode() for text in texts], kind)})
        found, tally = read(write(tmp_path / "p.parquet", table), ReaderOptions(limits=limits))
        assert [locator for locator, _, _ in found] == ["row=0", "row=2"]
        assert "its text is longer than 400 characters" in tally.rejections[0].reason


def test_a_part_that_holds_nulls_alone_may_have_no_type(tmp_path: Path) -> None:
    found, tally = read(write(tmp_path / "p.parquet", pa.table({"text": [None, None]})))
    assert (found, tally.dropped) == ([], {"malformed": 2})


def damage(path: Path, group: int) -> None:
    """Overwrites the pages of the text of a row group."""
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(0)
    data = bytearray(path.read_bytes())
    start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)


TEXT = "Row {} holds a sentence that is long enough to be kept by every rule."


def test_of_a_file_with_a_damaged_row_group_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write(path, pa.table({"text": [TEXT.format(n) for n in range(20)]}), row_group_size=5)
    damage(path, 1)
    damage(path, 2)
    (split,) = plan_splits(InputOptions(parquet=(str(path),)))
    with pytest.raises(
        PreprocessingError, match=r"^p\.parquet is damaged near row 5 \(row group 1: .*--skip-bad-files"
    ):
        list(read_documents(split, DocumentOptions(), Tally()))
    tally = Tally()
    documents = list(read_documents(split, DocumentOptions(skip_bad_files=True), tally))
    assert [document.locator for document in documents] == [f"row={n}" for n in (*range(5), *range(15, 20))]
    assert (tally.dropped, tally.counters[LOST_ROWS], tally.unaccounted) == ({"bad_file": 1}, 10, 0)
    assert [place.locator for place in tally.damage] == [
        "p.parquet row=10 to row=14",
        "p.parquet row=5 to row=9",
    ]


def test_an_encrypted_or_cut_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write(path, pa.table({"text": ["one"]}))
    whole = path.read_bytes()
    for data in (whole[:-4] + b"PARE", whole[:-10], whole[:3], b"PAR1" * 3):
        path.write_bytes(data)
        with pytest.raises(PreprocessingError, match=r"^p\.parquet is not a readable Parquet file \(") as caught:
            plan_splits(InputOptions(parquet=(str(path),)))
        assert "\n" not in str(caught.value)
