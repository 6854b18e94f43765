"""Tasks in Parquet: as strict as the others, lists and structures as they are, damage in one sentence."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import parse_task, read_new, read_split
from finetuning.tasks.readers.parquet import ROWS_AT_A_TIME, parquet_records
from finetuning.tasks.task import Task

DAMAGED_FILES = 2000


def task(**changes: Any) -> Task:
    content: dict[str, Any] = {
        "name": "mine", "kind": "classification", "labels": ["no", "yes"], "metric": "accuracy",
        "columns": {"text_a": "text", "label": "answer"}, "splits": {"train": "t.parquet", "dev": "t.parquet"},
    }  # fmt: skip
    return parse_task({**content, **changes}, "mine.toml")


def write(folder: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


def rows(own: Task, folder: Path) -> tuple[Any, ...]:
    split = read_split(own, "train", folder)
    assert split is not None
    return split.rows


def test_texts_and_labels_in_order(tmp_path: Path) -> None:
    count = 2 * ROWS_AT_A_TIME + 3
    texts = [f'a, "{n}"\n' for n in range(count)]
    answer = pa.array([("no", "yes")[n % 2] for n in range(count)]).dictionary_encode()
    write(tmp_path, text=texts, answer=answer, other=[b"\xff"] * count)
    found = rows(task(), tmp_path)
    assert [row.text_a for row in found] == texts
    assert [row.label for row in found[:3]] == ["no", "yes", "no"]
    assert found[300].place.endswith("t.parquet: row 300")
    write(tmp_path, text=["a"], answer=[1])
    assert rows(task(labels=[0, 1]), tmp_path)[0].label == "1"


def test_lists_and_structures(tmp_path: Path) -> None:
    write(tmp_path, words=[["he", "ran"]], tags=[["O", "B-X"]])
    (row,) = rows(task(kind="token", labels=[], metric="entity_f1", columns={}), tmp_path)
    assert (row.words, row.tags) == (("he", "ran"), ("O", "B-X"))
    answers = [{"text": ["ran"], "answer_start": [3]}]
    write(tmp_path, id=["q"], question=["what?"], context=["he ran"], answers=answers)
    (row,) = rows(task(kind="span", labels=[], metric="f1", columns={}), tmp_path)
    assert (row.id, row.answers) == ("q", (("ran", 3),))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"text": ["a", None], "answer": ["no", "no"]}, "row 1: text_a is None, not a text"),
        ({"text": ["a"], "answer": [None]}, "row 0: label is empty"),
        ({"text": ["a"], "answer": [1.0]}, "row 0: label '1.0' is unknown"),
        ({"text": [b"a"], "answer": ["no"]}, "row 0: text_a is b'a', not a text"),
        ({"text": [3], "answer": ["no"]}, "row 0: text_a is 3, not a text"),
        ({"Text": ["a"], "answer": ["no"]}, r"row 0: column 'text' \(text_a\) is missing"),
        ({"x": ["a"]}, "it has none of the columns answer, .*, but x"),
        ({"text": pa.array([], pa.string()), "answer": pa.array([], pa.string())}, "the train split of mine is empty"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, columns: dict[str, Any], says: str) -> None:
    write(tmp_path, **columns)
    with pytest.raises(FinetuningError, match=says):
        rows(task(), tmp_path)


def test_columns_of_one_name_and_texts_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 3, ["text", "answer", "text"]), path)
    with pytest.raises(FinetuningError, match="it has two columns 'text'"):
        rows(task(), tmp_path)
    data = pa.array([b"fine", b"caf\xe9"]).view(pa.string())
    write(tmp_path, text=data, answer=["no", "no"])
    with pytest.raises(FinetuningError, match=r"t\.parquet: a text from row \d+ on is not UTF-8"):
        rows(task(), tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match=r"none\.parquet: cannot be read: No such file or directory; correct"):
        read_new(task(), tmp_path / "none.parquet")


def test_new_rows_are_answered_without_labels(tmp_path: Path) -> None:
    path = write(tmp_path, id=["x", "y"], text=["a", "b"])
    assert [(row.id, row.shown) for row in read_new(task(), path).rows] == [("x", "a"), ("y", "b")]
    path = write(tmp_path, text_a=["a"])
    assert [row.shown for row in read_new(task(), path).rows] == ["a"]


@pytest.mark.timeout(300)
def test_a_damaged_file_gives_rows_or_one_sentence(tmp_path: Path) -> None:
    good = write(tmp_path, text=[f"the cat {n}" * 9 for n in range(40)], answer=["no", "yes"] * 20).read_bytes()
    path, draw, outcomes = tmp_path / "d.parquet", random.Random(3), {"rows": 0, "sentence": 0}
    for _ in range(DAMAGED_FILES):
        data = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            place, length = draw.randrange(len(data)), draw.choice((0, 1, 1, 1, 7, 200))
            data[place : place + length] = draw.randbytes(draw.choice((0, 1, 1, 4)))
        path.write_bytes(data)
        try:
            found = list(parquet_records(path, {"text_a": "text"}, also=["answer"]))
        except FinetuningError as error:
            outcomes["sentence"] += len(str(error).splitlines()) == 1
        else:
            outcomes["rows"] += len(found) <= 40
    assert sum(outcomes.values()) == DAMAGED_FILES
    assert min(outcomes.values()) > DAMAGED_FILES // 50
