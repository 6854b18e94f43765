"""SQuAD's files: a value of the wrong kind must not become a text or a truth of its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task, read_split
from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.readers.squad_json import squad_records

GOOD: dict[str, Any] = {"id": "q1", "question": "who?", "answers": [{"text": "Ann", "answer_start": 0}]}


def write(folder: Path, *questions: dict[str, Any], context: Any = "Ann ran.", version: int = 1) -> Path:
    path = folder / f"train-v{version}.{'1' if version == 1 else '0'}.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": context, "qas": list(questions)}]}]}))
    return path


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"question": None}, "question"),
        ({"id": None}, "id"),
        ({"id": True}, "id"),
        ({"is_impossible": "false"}, "is_impossible"),
        ({"answers": [{"text": None, "answer_start": 0}]}, "text"),
        ({"answers": [{"text": "Ann", "answer_start": float("inf")}]}, "answer_start"),
        ({"answers": [{"text": "Ann", "answer_start": "0"}]}, "answer_start"),
        ({"answers": [{"text": "Ann", "answer_start": 0.7}]}, "answer_start"),
        ({"answers": [{"text": "Ann", "answer_start": False}]}, "answer_start"),
        ({"answers": None}, "answers"),
        ({"answers": ["Ann"]}, "text"),
    ],
)
def test_values_of_the_wrong_kind(tmp_path: Path, change: dict[str, Any], names: str) -> None:
    with pytest.raises(
        FinetuningError, match=rf"after 1 questions the key .*{names}.* is missing or of the wrong kind"
    ):
        list(squad_records(write(tmp_path, GOOD, {**GOOD, "id": "q2", **change})))


def test_a_place_may_be_written_as_a_whole_fraction(tmp_path: Path) -> None:
    ((_, record),) = squad_records(write(tmp_path, {**GOOD, "answers": [{"text": "Ann", "answer_start": 0.0}]}))
    assert record["answers"] == [{"text": "Ann", "answer_start": 0}]


def test_an_impossible_question_with_an_answer_is_remarked(tmp_path: Path) -> None:
    path = write(tmp_path, {**GOOD, "is_impossible": True}, {"id": "q2", "question": "?", "is_impossible": True})
    remarks = Remarks()
    assert [record["answers"] for _, record in squad_records(path, remarks=remarks)] == [[], []]
    assert remarks.notes("f") == ("f: 1 impossible questions with answers, read as without, the first at id q1",)


@pytest.mark.parametrize("content", ["[]", '{"data": 3}', '{"data": [{"paragraphs": [[]]}]}', '"data"', "null"])
def test_another_structure(tmp_path: Path, content: str) -> None:
    path = tmp_path / "train-v1.1.json"
    path.write_text(content)
    with pytest.raises(FinetuningError, match="SQuAD files have data > paragraphs > context"):
        list(squad_records(path))


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes().replace(b"Ann", b"\xc4nn"))
    with pytest.raises(FinetuningError, match="not UTF-8 at byte"):
        list(squad_records(path))


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        ([GOOD, GOOD], "the id 'q1' stands there twice; a span task needs an id a row"),
        ([{**GOOD, "answers": []}], "it has no answer, and to squad1 every question has one"),
        ([{**GOOD, "is_impossible": True}], "it has no answer, and to squad1 every question has one"),
        ([{**GOOD, "answers": [{"text": " ", "answer_start": 3}]}], "is empty or outside"),
        ([{**GOOD, "answers": [{"text": "", "answer_start": 0}]}], "is empty or outside"),
        ([{**GOOD, "answers": [{"text": "ran", "answer_start": 0}]}], "does not stand at character 0"),
    ],
)
def test_what_would_bend_training_or_scores(tmp_path: Path, questions: list[dict[str, Any]], says: str) -> None:
    write(tmp_path, *questions)
    with pytest.raises(FinetuningError) as caught:
        read_split(load_task("squad1"), "train", tmp_path)
    assert says in str(caught.value)


def test_an_impossible_question_is_squad2s(tmp_path: Path) -> None:
    write(tmp_path, GOOD, {"id": "q2", "question": "what?", "answers": [], "is_impossible": True}, version=2)
    split = read_split(load_task("squad2"), "train", tmp_path)
    assert split is not None
    assert [len(row.answers) for row in split.rows] == [1, 0]  # type: ignore[attr-defined]
