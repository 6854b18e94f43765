"""Tables: quoting and separators as declared, columns by name or position; a broken file is refused by its line."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetuning.errors import FinetuningError
from finetuning.tasks.readers import lines as line_reader
from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.readers.tables import Layout, table_records
from finetuning.tasks.records import Columns

CSV = Layout(",", quoted=True)
TEXT_AND_LABEL: Columns = {"text_a": "text", "label": "label"}


def read(path: Path, content: str | bytes, columns: Columns = TEXT_AND_LABEL, layout: Layout = CSV) -> list[dict]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [values for _, values in table_records(path, columns, layout)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.csv"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"one, two"', "one, two"),
        ('"she said ""no"""', 'she said "no"'),
        ('"first\nsecond"', "first\nsecond"),
        ('"first\r\nsecond"', "first\r\nsecond"),
        ('""', ""),
        ("", ""),
        (" padded ", " padded "),
        ('"\u2028 and \x85"', "\u2028 and \x85"),
        ("it's", "it's"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quoted_fields(path: Path, written: str, text: str, end: str) -> None:
    rows = read(path, f"text,label{end}{written},1{end}plain,0{end}")
    assert [(row["text"], row["label"]) for row in rows] == [(text, "1"), ("plain", "0")]


def test_a_mark_at_the_start_of_the_file_and_no_line_end_at_its_end(path: Path) -> None:
    assert read(path, "\ufefftext,label\na,1".encode()) == [{"text": "a", "label": "1"}]


def test_a_place_is_the_line_in_which_a_row_begins(path: Path) -> None:
    path.write_text('text,label\n"two\nlines",1\nnext,0\n')
    places = [place for place, _ in table_records(path, TEXT_AND_LABEL, CSV)]
    assert places == [f"{path}: line 2", f"{path}: line 4"]


def test_without_quoting_a_mark_is_a_character(path: Path) -> None:
    """As in GLUE: WNLI and QNLI have sentences that open a quotation and never close it."""
    rows = read(path, 'text\tlabel\n"He said\t1\nthe "end\t0\n', layout=Layout())
    assert [row["text"] for row in rows] == ['"He said', 'the "end']


@pytest.mark.parametrize("delimiter", [";", "|", ":"])
def test_another_separator(path: Path, delimiter: str) -> None:
    content = f'text{delimiter}label\n"a{delimiter}b"{delimiter}1\n'
    assert read(path, content, layout=Layout(delimiter, quoted=True)) == [{"text": f"a{delimiter}b", "label": "1"}]


def test_columns_by_position(path: Path) -> None:
    by_position: Columns = {"text_a": 1, "label": -1}
    rows = read(path, "id,words,answer\n7,hello,yes\n", by_position)
    assert (rows[0]["1"], rows[0]["-1"]) == ("hello", "yes")
    rows = read(path, "7,hello,yes\n", by_position, Layout(",", quoted=True, header=False))
    assert (rows[0]["1"], rows[0]["-1"]) == ("hello", "yes")
    # A position tells two columns of one name apart.
    assert read(path, "text,text\na,b\n", {"text_a": 0, "label": 1}) == [{"text": "b", "0": "a", "1": "b"}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('text,label\n"never closed,1\na,0\n', "line 2 opens a quotation mark that is never closed"),
        ('text,label\na,1\n"x" y,0\n', "line 3 has text behind the quoted field 'x'"),
        ('text,label\na, "b, c"\n', "line 2 has a quotation mark within the unquoted field ' \"b'"),
        ('text,label\n5" disk,1\n', "line 2 has a quotation mark within the unquoted field '5\" disk'"),
        ("text,label\na,1\nb\n", "line 3 has 1 fields, the first line has 2"),
        ("text,label\na,1\nb,c,0\n", "line 3 has 3 fields, the first line has 2"),
        ('text,label\n"a\n\n",1,2\n', "line 2 has 3 fields"),
        ("text,text,label\na,b,1\n", "two columns 'text'; rename one, or give the position"),
        ("Text,label\na,1\n", "column 'text' (text_a) is missing in the header; did you mean 'Text'?"),
        ("text;label\na;1\n", 'it has semicolons in it, set delimiter = ";"'),
        ("text\tlabel\na\t1\n", 'it has tabs in it, set delimiter = "\\t"'),
        ("text,label\ra,1\r", "its lines end in carriage returns alone"),
        (b"text,label\ncaf\xe9,1\n", "line 2 is not UTF-8"),
        ("text,label\na,1\n".encode("utf-16"), "line 1 has NUL bytes, as UTF-16"),
        (b"text,label\na\0b,1\n", "line 2 has NUL bytes"),
    ],
)
def test_a_broken_file_is_refused_by_its_line(path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(FinetuningError) as caught:
        read(path, content)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_quoted_header_in_a_file_without_quoting_says_what_to_set(path: Path) -> None:
    with pytest.raises(FinetuningError, match="its fields stand in quotation marks, set quoted = true"):
        read(path, '"text"\t"label"\n"a"\t"1"\n', layout=Layout())


def test_a_column_that_no_line_has(path: Path) -> None:
    with pytest.raises(FinetuningError, match=r"line 1 has 2 columns separated by commas, so there is no column 2"):
        read(path, "a,1\n", {"text_a": 2}, Layout(",", quoted=True, header=False))
    with pytest.raises(FinetuningError, match=r"there is no column text \(text_a\)"):
        read(path, "a,1\n", TEXT_AND_LABEL, Layout(",", quoted=True, header=False))


def test_what_is_passed_over_is_remarked(path: Path) -> None:
    path.write_text("text\tlabel\na\t1\n\nb\nc\t0\n\n\n")
    remarks = Remarks()
    rows = [values["text"] for _, values in table_records(path, TEXT_AND_LABEL, Layout(malformed="skip"), remarks)]
    assert rows == ["a", "c"]
    assert remarks.notes("t.tsv") == (
        "t.tsv: 1 malformed lines passed over, the first at line 4",
        "t.tsv: 1 empty lines passed over, the first at line 3",
    ), "empty lines at the end of a file are no rows"


def test_an_empty_line_in_a_table_of_one_column(path: Path) -> None:
    """Without quoting it is a row with an empty text, for which an answer is owed; with quoting `""` is."""
    content = "text\na\n\nb\n\n"
    one: Columns = {"text_a": "text"}
    assert read(path, content, one, Layout()) == [{"text": "a"}, {"text": ""}, {"text": "b"}]
    remarks = Remarks()
    path.write_text(content.replace("b", '""'))
    assert [values["text"] for _, values in table_records(path, one, CSV, remarks)] == ["a", ""]
    assert remarks.blank == ["line 3"]


def test_a_file_that_looks_quoted_is_remarked(path: Path) -> None:
    remarks = Remarks()
    path.write_text('text\tlabel\n"a"\t1\n"b"\t0\nc "d"\t1\n')
    assert len(list(table_records(path, TEXT_AND_LABEL, Layout(), remarks))) == 3
    (note,) = remarks.notes("t.tsv")
    assert "in 2 of the first 3 rows a field stands in quotation marks" in note
    few = Remarks()
    path.write_text('text\tlabel\n"a"\t1\nb\t0\n')
    list(table_records(path, TEXT_AND_LABEL, Layout(), few))
    assert few.notes("t.tsv") == ()


def test_lines_and_rows_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without a line end, or with a mark that nobody closes, is not read into memory whole."""
    monkeypatch.setattr(line_reader, "LONGEST", 100)
    with pytest.raises(FinetuningError, match="line 2 is longer than"):
        read(path, f"text,label\n{'a' * 101},1\n")
    monkeypatch.undo()
    monkeypatch.setattr("finetuning.tasks.readers.quoting.LONGEST", 100)
    with pytest.raises(FinetuningError, match="the row that begins in line 2 is longer than"):
        read(path, 'text,label\n"a' + "\nline of ten" * 20)


@settings(derandomize=True, max_examples=300, deadline=None, database=None)
@given(
    st.lists(st.tuples(*[st.text(st.sampled_from('ab",;\t \n\r\u2028é"'), max_size=6)] * 3), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_python_writes_is_read_back(tmp_path_factory, rows, delimiter: str, quoting: int) -> None:
    """Strictness costs nothing that a writer of CSV makes."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=quoting).writerows([("a", "b", "c"), *rows])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(file.getvalue().encode())
    found = [tuple(values.values()) for _, values in table_records(path, {}, Layout(delimiter, quoted=True))]
    assert found == list(rows)
