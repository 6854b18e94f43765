"""Readers: every layout, quotes and odd characters, and bad input that is named by file and line."""

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task, parse_task, read_split
from finetuning.kinds.rows import ChoiceRow, SpanRow, TextRow, TokenRow
from finetuning.tasks.readers.conll import to_iob2
from finetuning.tasks.readers.jsonl import jsonl_records
from finetuning.tasks.readers.squad_json import squad_records
from finetuning.tasks.readers.swag_csv import swag_records
from finetuning.tasks.task import Task

Write = Callable[..., Path]
SHAPES = {
    "cola": (12, "1"), "sst2": (12, "0"), "mrpc": (12, "1"), "stsb": (12, 0.5), "qqp": (12, "0"),
    "rte": (12, "entailment"), "mnli": (12, "entailment"), "qnli": (12, "entailment"), "wnli": (12, "0"),
}  # fmt: skip


def jsonl_task(**changes: object) -> Task:
    content = {
        "name": "mine", "kind": "classification", "format": "jsonl", "labels": ["no", "yes"], "metric": "accuracy",
        "columns": {"text_a": "first", "label": "answer"}, "splits": {"train": "train.jsonl", "dev": "dev.jsonl"},
    }  # fmt: skip
    return parse_task({**content, **changes}, "mine.toml")


@pytest.mark.parametrize("name", SHAPES)
def test_glue_layouts(benchmark_data: Path, name: str) -> None:
    task = load_task(name)
    count, label = SHAPES[name]
    train = read_split(task, "train", benchmark_data)
    assert train is not None
    assert len(train.rows) == count
    row = train.rows[1 if name == "cola" else 0]
    assert isinstance(row, TextRow)
    assert row.label == label
    assert '"' in row.text_a, "quotation marks stay in the text"
    assert (row.text_b is not None) == task.is_pair
    # The task's own folder does as well as the benchmark's root.
    inside = read_split(task, "train", benchmark_data / str(task.folder))
    assert inside is not None
    assert [row.text_a for row in inside.rows] == [row.text_a for row in train.rows]  # type: ignore[union-attr]
    for split in task.test:
        test = read_split(task, split, benchmark_data)
        assert test is not None
        assert [row.id for row in test.rows] == [str(number) for number in range(len(test.rows))]
        assert all(isinstance(row, TextRow) and row.label is None for row in test.rows)


def test_other_layouts(benchmark_data: Path) -> None:
    squad = read_split(load_task("squad2"), "dev", benchmark_data)
    assert squad is not None
    spans = [row for row in squad.rows if isinstance(row, SpanRow)]
    assert [len(row.answers) for row in spans] == [1, 1, 1, 0]
    assert all(row.context[start : start + len(text)] == text for row in spans for text, start in row.answers)
    swag = read_split(load_task("swag"), "train", benchmark_data)
    assert swag is not None
    choice = swag.rows[2]
    assert isinstance(choice, ChoiceRow)
    assert (choice.text_a, choice.text_b, choice.label) == ("he ran.", "she", 2)
    assert choice.endings[0] == 'ran, then "left".'
    unlabelled = read_split(load_task("swag"), "test", benchmark_data)
    assert unlabelled is not None
    assert {row.label for row in unlabelled.rows if isinstance(row, ChoiceRow)} == {None}
    conll = read_split(load_task("conll2003"), "train", benchmark_data)
    assert conll is not None
    assert len(conll.rows) == 9
    token = conll.rows[0]
    assert isinstance(token, TokenRow)
    assert token.tags == ("O", "O", "O", "B-LOC", "B-LOC", "O")


def test_tags_become_iob2() -> None:
    assert to_iob2(["I-A", "I-A", "B-A", "I-B", "O", "I-B"]) == ["B-A", "I-A", "B-A", "B-B", "O", "B-B"]
    already = ["B-A", "I-A", "B-A", "O", "B-B", "I-B"]
    assert to_iob2(already) == already
    assert to_iob2(["NN", "VB", "IN"]) == ["NN", "VB", "IN"]


def test_a_tab_inside_quotes_is_refused_by_line(write_lines: Write) -> None:
    header = "index\tsentence1\tsentence2\tlabel"
    path = write_lines("RTE/train.tsv", header, '0\ta "b" c\td\tentailment', '1\t"a\tb"\tc\tentailment')
    task = load_task("rte")
    with pytest.raises(FinetuningError, match=r"train\.tsv: line 3 has 5 fields, the first line has 4"):
        read_split(task, "train", path.parent.parent)
    skipping = read_split(task.model_copy(update={"malformed": "skip"}), "train", path.parent)
    assert skipping is not None
    assert len(skipping.rows) == 1
    assert skipping.notes == ("train.tsv: 1 malformed lines passed over, the first at line 3",)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    text = "one\u2028two\u0085three\rfour\x0bfive"
    (tmp_path / "train.tsv").write_bytes(f"\ufeffsentence\tlabel\r\n{text}\t1\r\n".encode())
    split = read_split(load_task("sst2"), "train", tmp_path)
    assert split is not None
    row = split.rows[0]
    assert isinstance(row, TextRow)
    assert (row.text_a, row.label) == (text, "1")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["sentense\tlabel", "a\t1"],
            r"column 'sentence' \(text_a\) is missing in the header; did you mean 'sentense'",
        ),
        (["sentence\tlabel", "a\t1", "b\tpositive"], r"line 3: label 'positive' is unknown; sst2 knows '0', '1'"),
        (["sentence\tlabel"], "the train split of sst2 is empty"),
        ([], "the train split of sst2 is empty"),
    ],
)
def test_bad_tsv(write_lines: Write, lines: list[str], message: str) -> None:
    path = write_lines("train.tsv", *lines)
    with pytest.raises(FinetuningError, match=message):
        read_split(load_task("sst2"), "train", path.parent)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match=r"no train\.tsv there nor in CoLA/ below it"):
        read_split(load_task("cola"), "train", tmp_path)
    assert read_split(load_task("cola"), "test", tmp_path) is None, "a test split may be absent"


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(b"sentence\tlabel\ncaf\xe9\t1\n")
    with pytest.raises(FinetuningError, match="line 2 is not UTF-8"):
        read_split(load_task("sst2"), "train", tmp_path)


def test_jsonl_label_types(write_lines: Write) -> None:
    path = write_lines("train.jsonl", '{"first": "a", "answer": true}', "", '{"first": "b", "answer": false}')
    split = read_split(jsonl_task(labels=["false", "true"]), "train", path.parent)
    assert split is not None
    assert [row.label for row in split.rows if isinstance(row, TextRow)] == ["true", "false"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"first": "a"', "line 1 is not JSON"),
        ('["a"]', "line 1 is not a JSON object"),
        ('{"frist": "a", "answer": "no"}', r"column 'first' \(text_a\) is missing; did you mean 'frist'"),
        ('{"first": 3, "answer": "no"}', "text_a is 3, not a text"),
        ('{"first": "a", "answer": "maybe"}', "label 'maybe' is unknown"),
        ('{"first": "a"}', r"column 'answer' \(label\) is missing"),
    ],
)
def test_bad_jsonl(write_lines: Write, line: str, message: str) -> None:
    path = write_lines("train.jsonl", line)
    with pytest.raises(FinetuningError, match=message):
        read_split(jsonl_task(), "train", path.parent)


def test_regression_needs_numbers(write_lines: Write) -> None:
    path = write_lines("train.jsonl", '{"first": "a", "answer": "nan"}')
    with pytest.raises(FinetuningError, match="line 1: label 'nan' is not a finite number"):
        read_split(jsonl_task(kind="regression", labels=[], metric="pearson"), "train", path.parent)


def test_squad_answer_outside_its_context(write_lines: Write) -> None:
    question = {"id": "q1", "question": "who?", "answers": [{"text": "Ann", "answer_start": 99}]}
    content = {"data": [{"paragraphs": [{"context": "Ann ran.", "qas": [question]}]}]}
    path = write_lines("train-v1.1.json", json.dumps(content))
    with pytest.raises(FinetuningError, match="question q1: the answer 'Ann' at character 99 is empty or outside"):
        read_split(load_task("squad1"), "train", path.parent)


def test_squad_answer_beside_its_place(write_lines: Write) -> None:
    """An offset in bytes, say: the span would be trained on other words. A slip of a character or two is put right."""
    question = {"id": "q1", "question": "who?", "answers": [{"text": "Ann", "answer_start": 3}]}
    path = write_lines(
        "train-v1.1.json", json.dumps({"data": [{"paragraphs": [{"context": "Ann ran.", "qas": [question]}]}]})
    )
    with pytest.raises(
        FinetuningError, match=r"question q1: the answer 'Ann' does not stand at character 3 .* ' ra' is"
    ):
        read_split(load_task("squad1"), "train", path.parent)
    path.write_text(path.read_text().replace('"answer_start": 3', '"answer_start": 2'))
    split = read_split(load_task("squad1"), "train", path.parent)
    assert split is not None
    (row,) = split.rows
    assert isinstance(row, SpanRow)
    assert row.answers == (("Ann", 0),)


@pytest.mark.parametrize("read", [squad_records, swag_records, jsonl_records])
def test_a_file_that_is_not_there(read: Callable[..., Iterator[object]], tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match="absent: cannot be read: No such file") as caught:
        list(read(tmp_path / "absent", *([False] if read is swag_records else [])))
    assert caught.value.exit_code == 2


def test_the_paraphrase_corpus_that_holds_the_dev_split_is_not_read(tmp_path: Path, benchmark_data: Path) -> None:
    train = (benchmark_data / "MRPC" / "train.tsv").read_bytes()
    (tmp_path / "msr_paraphrase_train.txt").write_bytes(train)
    with pytest.raises(FinetuningError, match=r"no train\.tsv there"):
        read_split(load_task("mrpc"), "train", tmp_path)


@pytest.mark.parametrize(
    ("task", "line", "message"),
    [
        ("conll2003", "word", r"line 1 has 1 columns, too few"),
        ("squad1", "{}", "the key 'data' is missing"),
        ("squad1", "{", "the file is not JSON"),
        ("swag", "sent1,sent2", r"column 'ending0' \(endings\) is missing"),
    ],
)
def test_bad_files_of_other_layouts(write_lines: Write, task: str, line: str, message: str) -> None:
    loaded = load_task(task)
    path = write_lines(loaded.splits["train"].file, line)
    with pytest.raises(FinetuningError, match=message):
        read_split(loaded, "train", path.parent)


def test_hub_reads_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local folder of Parquet files stands for the hub: `datasets` loads both by the same call."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    folder = tmp_path / "hub"
    folder.mkdir()
    columns = {"sentence": ["a", "b", "c"], "label": [1, 0, 1], "idx": [5, 6, 7]}
    pq.write_table(pa.table(columns), folder / "train-00000.parquet")
    task = load_task("cola")
    assert task.hub is not None
    hub = task.hub.model_copy(update={"path": str(folder), "config": None})
    split = read_split(task.model_copy(update={"hub": hub}), "train", None, limit=2)
    assert split is not None
    rows = [(row.id, row.text_a, row.label) for row in split.rows if isinstance(row, TextRow)]
    assert rows == [("5", "a", "1"), ("6", "b", "0")]
    absent = hub.model_copy(update={"path": str(tmp_path / "absent")})
    with pytest.raises(FinetuningError, match="could not be loaded from the hub"):
        read_split(task.model_copy(update={"hub": absent}), "train", None)


class HTTPError(Exception):
    """As the hub's HTTP library has it, which is no OSError."""


class Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def _answered(status_code: int) -> Exception:
    error = HTTPError(f"status {status_code}")
    error.response = Response(status_code)  # type: ignore[attr-defined]
    return error


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionError("Couldn't reach it"), 75),
        (HTTPError("timed out"), 75),
        (_answered(503), 75),
        (_answered(401), 2),
        (_caused(ValueError("while generating"), OSError(errno.ENOSPC, "No space left on device")), 75),
        (FileNotFoundError("not on the hub"), 2),
        (ValueError("no such config"), 2),
    ],
)
def test_what_another_try_can_cure_says_so(error: Exception, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with pytest.raises(FinetuningError, match="could not be loaded from the hub") as caught:
        read_split(load_task("cola"), "train", None)
    assert caught.value.exit_code == code
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)  # nobody will connect it
    with pytest.raises(FinetuningError) as caught:
        read_split(load_task("cola"), "train", None)
    assert caught.value.exit_code == 2
