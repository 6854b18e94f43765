"""Tasks of one's own in CSV and TSV: every kind that has rows in columns, and what a task file may say of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task, parse_task, read_new, read_split
from finetuning.kinds.rows import ChoiceRow, SpanRow, TextRow, TokenRow
from finetuning.tasks.task import Task

Write = Callable[..., Path]


def task(**changes: Any) -> Task:
    content: dict[str, Any] = {
        "name": "mine", "kind": "classification", "labels": ["no", "yes"], "metric": "accuracy",
        "columns": {"text_a": "text", "label": "answer"}, "splits": {"train": "train.csv", "dev": "dev.csv"},
    }  # fmt: skip
    return parse_task({**content, **changes}, "mine.toml")


def train(task: Task, path: Path) -> tuple[Any, ...]:
    split = read_split(task, "train", path.parent)
    assert split is not None
    return split.rows


def test_the_format_is_that_of_the_suffix() -> None:
    assert task().format == "csv"
    assert task(splits={"train": "a.tsv", "dev": "b.tsv"}).format == "tsv"
    assert task(splits={"train": "a.jsonl", "dev": {"file": "b.jsonl"}}).format == "jsonl"
    with pytest.raises(FinetuningError, match=r"format: the files of the splits do not say it alike"):
        task(splits={"train": "a.csv", "dev": "b.tsv"})
    with pytest.raises(FinetuningError, match=r"format: .* write format ="):
        task(splits={"train": "a.txt", "dev": "b.txt"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "tsv"}, "format 'tsv', but train.csv is named otherwise; set delimiter"),
        ({"format": "jsonl", "quoted": True}, "delimiter and quoted are for format tsv and csv"),
        ({"delimiter": ",,"}, "delimiter: String should have at most 1 character"),
        ({"delimiter": '"'}, "delimiter '\"' cannot separate fields"),
        ({"max_length": 64, "sequence_length": 64}, "max_length and sequence_length are the same"),
        ({"max_length": 7}, "sequence_length: Input should be greater than or equal to 8"),
        ({"splits": {"train": "a.csv", "../dev": "b.csv"}, "dev": ["../dev"]}, "splits: '../dev' names files"),
        (
            {"splits": {"train": "a.csv", "dev": {"file": "b.csv", "submission": "../x"}}},
            "submission '../x': a file's name only",
        ),
        ({"max_lenght": 64}, "max_lenght: unknown key; did you mean 'max_length'"),
        ({"labels": ["no", ""]}, "labels: '' is empty or has blanks beside it"),
        ({"labels": ["no", " yes"]}, "labels: ' yes' is empty or has blanks beside it"),
        ({"dev": ["train"]}, "the train split is learnt; name another one in dev or test"),
        ({"test": ["train"]}, "the train split is learnt; name another one in dev or test"),
        ({"dev": ["dev", "dev"]}, "dev: 'dev' stands there twice"),
        (
            {"splits": {"train": "a.csv", "dev": {"file": "b.csv", "labelled": False}}},
            "splits: dev is learnt or scored, so it needs labels",
        ),
        (
            {"splits": {"train": {"file": "a.csv", "labelled": False}, "dev": "b.csv"}},
            "splits: train is learnt or scored, so it needs labels",
        ),
        ({"score_range": [5, 0]}, "score_range: write the lowest score first"),
        ({"score_range": [0, float("nan")]}, "score_range: write the lowest score first"),
        ({"labels": ["no", True]}, "labels.1: Input should be a valid string"),
    ],
)
def test_what_a_task_file_cannot_say(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(FinetuningError) as caught:
        task(**changes)
    assert says in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_csv_with_another_separator_in_a_file_of_another_name(write_lines: Write) -> None:
    path = write_lines("train.csv", "text\tanswer", '"a\tb"\tyes')
    (row,) = train(task(format="tsv", delimiter="\t", quoted=True), path)
    assert (row.text_a, row.label) == ("a\tb", "yes")


def test_a_table_without_a_header(write_lines: Write) -> None:
    path = write_lines("train.csv", 'yes,"a, b"', "no,c")
    rows = train(task(header=False, columns={"text_a": 1, "label": 0}), path)
    assert [(row.text_a, row.label) for row in rows] == [("a, b", "yes"), ("c", "no")]


def test_endings_in_columns(write_lines: Write) -> None:
    path = write_lines("train.csv", "start,one,two,right", '"He ran, and",sat,"fell, badly",1')
    own = task(
        kind="choice", labels=[], choices=2, columns={"text_a": "start", "endings": ["one", "two"], "label": "right"}
    )
    (row,) = train(own, path)
    assert isinstance(row, ChoiceRow)
    assert (row.text_a, row.endings, row.label) == ("He ran, and", ("sat", "fell, badly"), 1)
    new = write_lines("new.csv", "start,one,two", "She,ran,sat")
    assert read_new(own, new).rows[0].endings == ("ran", "sat")  # type: ignore[attr-defined]
    with pytest.raises(FinetuningError, match=r"column 'two' \(endings\) is missing"):
        train(own, write_lines("train.csv", "start,one,three,right", "a,b,c,1"))


def test_several_labels_in_a_field(write_lines: Write) -> None:
    path = write_lines("train.csv", "text,answer", 'a,"no, yes"', "b,", "c,yes")
    own = task(kind="multi_label", metric="micro_f1", columns={"text_a": "text", "labels": "answer"})
    assert [row.labels for row in train(own, path)] == [("no", "yes"), (), ("yes",)]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("", "line 2: label '' is not a finite number"),
        ("nan", "label 'nan' is not a finite number"),
        ("1_0", "label '1_0' is not a finite number"),
        ('"3,5"', "label '3,5' is not a finite number"),
        ("5.5", "label 5.5 is outside 0 to 5, the task's score_range"),
    ],
)
def test_scores_that_are_none(write_lines: Write, label: str, says: str) -> None:
    own = task(kind="regression", labels=[], metric="pearson", score_range=[0, 5])
    with pytest.raises(FinetuningError, match=says):
        train(own, write_lines("train.csv", "text,answer", f"a,{label}"))


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("", "line 3: label is empty; write one of 'no', 'yes'"),
        ("1", r"label '1' is unknown; mine knows 'no', 'yes', or set labels = \[\"0\", \"1\", …\]"),
        ("Yes", "label 'Yes' is unknown; mine knows 'no', 'yes'; write it exactly as 'yes'$"),
        ("yes ", "label 'yes ' is unknown; mine knows 'no', 'yes'; write it exactly as 'yes'$"),
        ("maybe", "label 'maybe' is unknown; mine knows 'no', 'yes'$"),
    ],
)
def test_labels_that_are_none(write_lines: Write, label: str, says: str) -> None:
    with pytest.raises(FinetuningError, match=says):
        train(task(), write_lines("train.csv", "text,answer", "a,no", f"b,{label}"))


def test_a_class_number_that_a_spreadsheet_made_a_fraction(write_lines: Write) -> None:
    path = write_lines("train.csv", "text,answer", "a,1.0")
    with pytest.raises(FinetuningError, match=r"label '1\.0' is unknown; .* write it exactly as '1'$"):
        train(task(labels=[0, 1]), path)


def test_a_score_beyond_the_numbers_of_the_model(write_lines: Write) -> None:
    own = task(kind="regression", labels=[], metric="pearson")
    assert [row.label for row in train(own, write_lines("train.csv", "text,answer", "a,-3.4e38"))] == [-3.4e38]
    with pytest.raises(FinetuningError, match="line 2: label '1e39' is not a finite number"):
        train(own, write_lines("train.csv", "text,answer", "a,1e39"))


def test_an_empty_file_is_named(write_lines: Write) -> None:
    path = write_lines("train.csv", "text,answer")
    with pytest.raises(FinetuningError, match=r"train\.csv: the train split of mine is empty"):
        train(task(), path)


def test_the_first_line_of_a_spreadsheet(write_lines: Write) -> None:
    path = write_lines("train.csv", "sep=;", "text;answer", "a;yes")
    with pytest.raises(FinetuningError, match="that line is a spreadsheet's note of the separator, delete it"):
        train(task(), path)


def test_class_numbers(write_lines: Write) -> None:
    rows = train(task(labels=[0, 1]), write_lines("train.csv", "text,answer", "a,1", "b,0"))
    assert [row.label for row in rows] == ["1", "0"]


def test_a_malformed_line_is_never_passed_over_where_an_answer_is_owed(write_lines: Write) -> None:
    splits = {"train": "train.csv", "dev": "train.csv", "test": {"file": "test.csv", "labelled": False}}
    own = task(splits=splits, test=["test"], malformed="skip")
    path = write_lines("train.csv", "text,answer", "a,no", "b", "c,yes")
    write_lines("test.csv", "text,number", "a,1", "b", "c,3")
    split = read_split(own, "train", path.parent)
    assert split is not None
    assert len(split.rows) == 2
    assert split.notes == ("train.csv: 1 malformed lines passed over, the first at line 3",)
    with pytest.raises(FinetuningError, match=r"test\.csv: line 3 has 1 fields"):
        read_split(own, "test", path.parent)


def test_rows_of_the_same_id_are_noted(write_lines: Write) -> None:
    own = task(columns={"text_a": "text", "label": "answer", "id": "id"})
    path = write_lines("train.csv", "id,text,answer", "7,a,no", "8,b,no", "7,c,yes", "7,d,no")
    split = read_split(own, "train", path.parent)
    assert split is not None
    assert split.notes == ("train.csv: 2 rows have the id of another, the first '7'",)


def test_new_rows_are_read_as_the_task_writes_them(write_lines: Write) -> None:
    semicolons = task(delimiter=";")
    rows = read_new(semicolons, write_lines("new.csv", "text;x", '"a; b";1')).rows
    assert [row.text_a for row in rows if isinstance(row, TextRow)] == ["a; b"]
    # A table of the other kind is as its suffix says; the column may have the name of its role.
    rows = read_new(semicolons, write_lines("new.tsv", "text_a", '"a')).rows
    assert [row.text_a for row in rows if isinstance(row, TextRow)] == ['"a']
    rows = read_new(load_task("sst2"), write_lines("new.csv", "sentence", '"a, b"')).rows
    assert [row.text_a for row in rows if isinstance(row, TextRow)] == ["a, b"]
    with pytest.raises(FinetuningError, match="two columns 'text'"):
        read_new(task(), write_lines("new.csv", "text,text", "a,b"))


def test_the_quotation_marks_of_glue_stay(write_lines: Write) -> None:
    """A mark that opens and never closes swallows the rows behind it where a reader takes it for quoting."""
    lines = ['0\t"Who won?\tHe said "I did".\tentailment', '1\tWho?\tNobody."\tnot_entailment', '2\t"\ta\tentailment']
    path = write_lines("train.tsv", "index\tquestion\tsentence\tlabel", *lines)
    rows = train(load_task("qnli"), path)
    assert [row.text_a for row in rows] == ['"Who won?', "Who?", '"']


@pytest.mark.parametrize(("value", "shown"), [("null", "None"), ("true", "True"), ('["a"]', r"\['a'\]")])
def test_an_id_must_name_something(write_lines: Write, value: str, shown: str) -> None:
    own = task(columns={"text_a": "text", "label": "answer", "id": "id"}, splits={"train": "t.jsonl", "dev": "t.jsonl"})
    path = write_lines("t.jsonl", f'{{"id": {value}, "text": "a", "answer": "no"}}')
    with pytest.raises(FinetuningError, match=f"line 1: id is {shown}, neither a text nor a number"):
        train(own, path)


def words(**changes: Any) -> Task:
    columns = {"words": "sentence", "tags": "tags", "document": "part"}
    return task(**{"kind": "token", "metric": "entity_f1", "labels": [], "columns": columns, **changes})


def test_words_and_tags_of_a_table_are_separated_by_blanks(write_lines: Write, tmp_path: Path) -> None:
    path = write_lines("train.csv", "part,sentence,tags", "1,he  ran .,O O O", "1,,", ',"Ann, ran",B-PER O')
    rows = train(words(), path)
    assert [(row.words, row.tags, row.document) for row in rows] == [
        (("he", "ran", "."), ("O", "O", "O"), "1"),
        ((), (), "1"),
        (("Ann,", "ran"), ("B-PER", "O"), None),
    ]
    write_lines("train.csv", "part,sentence,tags", "1,he ran,O")
    with pytest.raises(FinetuningError, match=r"line 2: 2 words but 1 tags"):
        train(words(), path)
    new = read_new(words(), write_lines("new.csv", "sentence", "it ran"))
    assert [(row.words, row.tags, row.document) for row in new.rows if isinstance(row, TokenRow)] == [
        (("it", "ran"), None, None)
    ]
    splits = {"train": "train.csv", "dev": "dev.csv", "test": {"file": "bare.csv", "labelled": False}}
    bare = read_split(words(splits=splits), "test", write_lines("bare.csv", "part,sentence", "7,it ran").parent)
    assert bare is not None
    assert [row.document for row in bare.rows if isinstance(row, TokenRow)] == ["7"]


@pytest.mark.parametrize(("value", "says"), [(True, "document is True"), (1.5, "document is 1.5"), ([], r"is \[\]")])
def test_what_names_no_document(write_lines: Write, value: Any, says: str) -> None:
    row = json.dumps({"sentence": ["he"], "tags": ["O"], "part": value})
    path = write_lines("train.jsonl", row)
    with pytest.raises(FinetuningError, match=f"line 1: .*{says}.*neither a text nor a number"):
        train(words(splits={"train": "train.jsonl", "dev": "dev.jsonl"}), path)


def spans(answers: Any = ("answer", "start"), **changes: Any) -> Task:
    columns = {"question": "question", "context": "text", "answers": answers}
    return task(**{"kind": "span", "metric": "f1", "labels": [], "columns": columns, "unanswerable": True, **changes})


def test_the_answer_of_a_table(write_lines: Write) -> None:
    header = "question,text,answer,start"
    path = write_lines("train.csv", header, "who?,Ann and Ann,Ann,8", "what?,Ann and Ann,,", "who?,Ann and Ann,Ann,7")
    assert [row.answers for row in train(spans(), path)] == [(("Ann", 8),), (), (("Ann", 8),)]
    assert [row.answers for row in train(spans("answer"), path)] == [(("Ann", 0),), (), (("Ann", 0),)]
    new = read_new(spans(), write_lines("new.csv", "question,text", "who?,Ann ran"))
    assert [row.answers for row in new.rows if isinstance(row, SpanRow)] == [()]


@pytest.mark.parametrize(
    ("answers", "row", "says"),
    [
        (("answer", "start"), "who?,Ann ran,Ann,", "the answer begins at '', which is no whole number"),
        (("answer", "start"), "who?,Ann ran,Ann,-1", "the answer begins at '-1', which is no whole number"),
        (("answer", "start"), "who?,Ann ran,Ann,0.0", "the answer begins at '0.0', which is no whole number"),
        (("answer", "start"), "who?,Ann ran,Ann,99", "is empty or outside the context"),
        ("answer", "who?,Ann ran,Eve,", "the answer 'Eve' does not stand in the context"),
        (("answer", "begin"), "who?,Ann ran,Ann,0", r"column 'begin' \(answers\) is missing"),
    ],
)
def test_answers_of_a_table_that_are_refused(write_lines: Write, answers: Any, row: str, says: str) -> None:
    with pytest.raises(FinetuningError, match=says):
        train(spans(answers), write_lines("train.csv", "question,text,answer,start", row))


@pytest.mark.parametrize(
    ("changes", "first", "shown"),
    [
        ({"columns": {"text_a": 0, "label": 1}}, "he ran,no", "the label 'no' in column 1"),
        ({"columns": {"text_a": 0, "label": -1}}, "he ran,yes", "the label 'yes' in column -1"),
        (
            {"kind": "regression", "metric": "pearson", "labels": [], "columns": {"text_a": 0, "label": 1}},
            "he ran,-1.5",
            "the label '-1.5' in column 1",
        ),
        (
            {"kind": "multi_label", "metric": "micro_f1", "columns": {"text_a": 0, "labels": 1}},
            'he ran,"no, yes"',
            "the label 'no, yes' in column 1",
        ),
    ],
)
def test_a_row_is_not_lost_as_a_header(write_lines: Write, changes: dict[str, Any], first: str, shown: str) -> None:
    """Columns by position fit a file without a header too, and `header = true` is the default."""
    path = write_lines("train.csv", first, first)
    with pytest.raises(FinetuningError, match=rf"line 1 is to be the header, but has {shown}; set header = false"):
        train(task(**changes), path)
    assert len(train(task(**changes, header=False), path)) == 2
    assert len(train(task(**changes), write_lines("train.csv", "words,what", first))) == 1
