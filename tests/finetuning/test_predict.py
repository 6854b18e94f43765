"""Answers of a fine-tuned model: the same as in its run, to any form of new text, and to GLUE's diagnostics."""

import errno
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from finetuning.errors import FinetuningError
from finetuning.kinds import loading
from finetuning.kinds.loading import load_task, new_in_parts
from finetuning.kinds.registry import KINDS as REGISTERED
from finetuning.predict import main
from finetuning.run.answers import answer_file, answer_task
from finetuning.run.finetune import run
from finetuning.run.specification import RunSpec
from finetuning.tasks.readers.lines import STANDARD_INPUT
from tests.recorded_progress import RecordedProgress

KINDS = ("cola", "mnli", "stsb", "swag", "conll2003", "squad2", "goemotions")
TASK_OF_KIND = {"classification": "cola", "regression": "stsb", "choice": "swag", "token": "conll2003"}
TASK_OF_KIND |= {"span": "squad2", "multi_label": "goemotions"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, model_folder: Path, benchmark_data: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name in KINDS:
        run(
            RunSpec(
                task=name,
                model=str(model_folder),
                data=benchmark_data,
                output=folder / name,
                epochs=1,
                batch_size=8,
                sequence_length=96,
                save_model=True,
            )
        )
    return {name: folder / name for name in KINDS}


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", KINDS)
def test_the_saved_model_repeats_its_run(
    name: str, runs: dict[str, Path], benchmark_data: Path, tmp_path: Path
) -> None:
    answer_task(runs[name], name, benchmark_data, tmp_path)
    for path in runs[name].glob("predictions-*.jsonl"):
        if path.name == "predictions-ax.jsonl":
            continue
        for again, before in zip(records(tmp_path / path.name), records(path), strict=True):
            if name == "stsb":
                assert again["prediction"] == pytest.approx(before["prediction"], abs=1e-5)
            else:
                assert again["prediction"] == before["prediction"]


def test_diagnostics_are_answered_by_mnli(runs: dict[str, Path], benchmark_data: Path, tmp_path: Path) -> None:
    scores = answer_task(runs["mnli"], "ax", benchmark_data, tmp_path)
    assert set(scores) == {"dev"}
    assert set(scores["dev"]) == {"matthews_correlation", "accuracy"}
    assert (tmp_path / "submission" / "AX.tsv").read_bytes() == (runs["mnli"] / "submission" / "AX.tsv").read_bytes()
    with pytest.raises(FinetuningError, match=r"trained on cola .* and cannot answer ax"):
        answer_task(runs["cola"], "ax", benchmark_data, tmp_path / "x")


@pytest.mark.parametrize(
    ("name", "file", "lines"),
    [
        ("cola", "new.txt", ["the cat", 'he "ran"', "\u2028odd"]),
        ("cola", "new.jsonl", ['{"text_a": "the cat"}', '{"text_a": "x"}', '{"text_a": ""}']),
        ("mnli", "new.txt", ["a\tb", "c\td", "the cat\the ran"]),
        ("mnli", "new.tsv", ["sentence1\tsentence2\tother", "a\tb\t1", "c\td\t2", "e\tf\t3"]),
        ("stsb", "new.jsonl", ['{"text_a": "a", "text_b": "b"}'] * 3),
        ("conll2003", "new.txt", ["he ran", "", "in Paris ."]),
        ("conll2003", "new.jsonl", ['{"words": ["he", "ran"]}'] * 3),
        ("conll2003", "new.conll", ["he", "ran", "", "it", "", "on"]),
        ("squad2", "new.jsonl", ['{"question": "who ran?", "context": "the dog ran."}'] * 3),
        ("swag", "new.jsonl", ['{"text_a": "he ran", "endings": ["a", "b", "c", "d"]}'] * 3),
    ],
)
def test_new_text_in_every_form(
    name: str, file: str, lines: list[str], runs: dict[str, Path], write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    source = write_lines(file, *lines)
    assert answer_file(runs[name], source, tmp_path / "answers.jsonl") == 3
    answers = records(tmp_path / "answers.jsonl")
    assert [answer["label"] in (None, []) for answer in answers] == [True] * 3
    assert all(answer["prediction"] is not None for answer in answers)


@pytest.mark.parametrize(
    ("name", "file", "lines", "message"),
    [
        ("mnli", "new.txt", ["only one"], "line 1 has 1 texts, the task needs 2"),
        ("mnli", "new.jsonl", ['{"text_a": "x"}'], "column 'sentence2'"),
        ("cola", "new.jsonl", ['{"text": "x"}'], "column 'text_a'"),
        ("cola", "new.jsonl", [], "holds no rows"),
        ("cola", "new.pdf", ["x"], ".pdf does not fit"),
        ("cola", "new.json", ["{}"], ".json does not fit"),
        ("squad2", "absent.json", None, "absent.json: cannot be read: No such file"),
        ("swag", "absent.csv", None, "absent.csv: cannot be read: No such file"),
    ],
)
def test_new_text_that_does_not_fit(
    name: str,
    file: str,
    lines: list[str] | None,
    message: str,
    runs: dict[str, Path],
    write_lines: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / file if lines is None else write_lines(file, *lines)
    arguments = ["--model", str(runs[name]), "--input", str(source), "--output", str(tmp_path / "a.jsonl")]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_sentences_without_words_have_no_tags(
    runs: dict[str, Path], write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    assert answer_file(runs["conll2003"], write_lines("new.txt", "", " "), tmp_path / "answers.jsonl") == 2
    assert [answer["prediction"] for answer in records(tmp_path / "answers.jsonl")] == [[], []]


def test_a_number_of_threads_below_one(
    runs: dict[str, Path], write_lines: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(runs["cola"]), "--input", str(write_lines("new.txt", "a")), "--threads", "0"]
    assert main([*arguments, "--output", str(tmp_path / "a.jsonl")]) == 2
    assert "--threads 0: input should be greater than or equal to 1" in capsys.readouterr().err


def test_a_full_disk_is_worth_another_try(
    runs: dict[str, Path],
    write_lines: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("finetuning.run.answers.replacing", full)
    arguments = ["--model", str(runs["cola"]), "--input", str(write_lines("new.txt", "a"))]
    assert main([*arguments, "--output", str(tmp_path / "a.jsonl")]) == 75
    assert "No space left on device; free space or wait" in capsys.readouterr().err


def test_a_folder_without_a_model(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(FinetuningError, match=r"no task\.json there, so it is no fine-tuned model"):
        answer_file(model_folder, tmp_path / "x.txt", tmp_path / "a")


def test_a_model_of_no_numbers_answers_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    """As a run that diverged leaves it: every answer would be the first label."""
    shutil.copytree(runs["cola"] / "model", tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "new.txt").write_text("the cat\n")
    with pytest.raises(FinetuningError, match=r"1 of its weights hold NaN or infinity, the first head\.bias"):
        answer_file(tmp_path / "model", tmp_path / "new.txt", tmp_path / "a.jsonl")


def test_a_pooler_that_a_task_has_no_use_for_is_not_missed(
    runs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "new.txt").write_text("he ran\n")
    assert answer_file(runs["conll2003"], tmp_path / "new.txt", tmp_path / "a.jsonl") == 1
    assert "pooler" not in caplog.text


def standard_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


def documented(repository: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """By kind the row and the answer that docs/finetuning.md shows."""
    page = (repository / "docs" / "finetuning.md").read_text(encoding="utf-8")
    section = page[page.index("## Predictions and features") :]
    rows = re.findall(r"^\| (\w+) \| `(\{.*\})` \| `(\{.*\})`[^`]*\|$", section, re.MULTILINE)
    return {kind: (json.loads(row), json.loads(answer)) for kind, row, answer in rows}


def test_every_kind_has_an_example(repository: Path) -> None:
    assert list(documented(repository)) == list(TASK_OF_KIND)
    assert sorted(TASK_OF_KIND) == sorted(REGISTERED)


@pytest.mark.parametrize("kind", TASK_OF_KIND)
def test_the_examples_of_the_page(
    kind: str,
    runs: dict[str, Path],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    row, shown = documented(repository)[kind]
    standard_input(monkeypatch, json.dumps(row) + "\n")
    arguments = ["--model", str(runs[TASK_OF_KIND[kind]]), "--input", "-", "--format", "jsonl", "--output", "-"]
    assert main(arguments) == 0
    output = capsys.readouterr()
    assert "1 answers in standard output" in output.err
    answer = json.loads(output.out)
    assert list(answer) == list(shown)
    assert answer["id"] == shown["id"]
    assert type(answer["prediction"]) is type(shown["prediction"])
    if isinstance(shown["scores"], list):
        assert len(answer["scores"]) == len(shown["scores"])
    elif kind != "span":
        assert set(shown["scores"]) <= set(answer["scores"])


def test_tags_that_the_model_does_not_know_are_said(
    runs: dict[str, Path], write_lines: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They count as wrong, so a score of 0 may be no fault of the model's."""
    lines = ['kind = "token"', 'columns = { words = "words", tags = "tags" }', 'splits = { dev = "dev.jsonl" }']
    write_lines(
        "dev.jsonl", '{"words": ["he", "ran"], "tags": ["O", "O"]}', *['{"words": ["Ann"], "tags": ["B-X"]}'] * 2
    )
    own = write_lines("own.toml", *lines, 'metric = "entity_f1"')
    assert answer_task(runs["conll2003"], str(own), None, tmp_path / "answers")["dev"]["entity_f1"] == 0.0
    (note,) = [message for message in caplog.messages if "does not know" in message]
    assert note == (
        f"label 'B-X' occurs in the dev split (2 times), but the model does not know it: it is never predicted, and "
        f"counts as wrong; first in {tmp_path / 'dev.jsonl'}: line 2"
    )
    own = write_lines("own.toml", *lines, 'metric = "f1"')
    with pytest.raises(FinetuningError, match="own: metric 'f1' is unknown for a token task; it has entity_f1"):
        answer_task(runs["conll2003"], str(own), None, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_parts_change_nothing(
    runs: dict[str, Path], write_lines: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_lines("new.txt", *(f"the {word} {'ran ' * (word % 5)}" for word in range(17)))
    assert answer_file(runs["cola"], source, tmp_path / "whole.jsonl") == 17
    monkeypatch.setattr(loading, "PART_ROWS", 4)
    progress = RecordedProgress()
    assert answer_file(runs["cola"], source, tmp_path / "parts.jsonl", progress=progress) == 17
    assert progress.ends == [("answer", 17, None)]
    whole, parts = records(tmp_path / "whole.jsonl"), records(tmp_path / "parts.jsonl")
    assert [answer["id"] for answer in parts] == [str(number) for number in range(17)]
    for one, other in zip(whole, parts, strict=True):
        assert one["prediction"] == other["prediction"]
        assert one["scores"] == pytest.approx(other["scores"], abs=2e-6)


def test_parts_cut_no_document_that_is_read_as_a_whole(
    write_lines: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first and last sentences of a part would be answered without those beside them."""
    monkeypatch.setattr(loading, "PART_ROWS", 4)
    sentence, mark = ("he O", ""), ("-DOCSTART- O", "")
    source = write_lines("new.conll", *sentence, *mark, *sentence * 6, *mark, *sentence * 2, *mark, *sentence * 3)
    task = load_task("conll2003")
    sizes = {
        context: [len(part.rows) for part in new_in_parts(task.model_copy(update={"context": context}), source)]
        for context in ("sentence", "document")
    }
    assert sizes == {"sentence": [4, 4, 4, 0], "document": [7, 5]}
    monkeypatch.setattr(loading, "PART_ROWS", 100)
    monkeypatch.setattr(loading, "PART_CHARACTERS", 1)
    whole = new_in_parts(task.model_copy(update={"context": "document"}), source)
    assert [len(part.rows) for part in whole] == [1, 6, 2, 3]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_answers_on_a_terminal_are_progress_enough(
    runs: dict[str, Path], write_lines: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    source, progress, shown = write_lines("new.txt", "the cat ran", "it sat"), RecordedProgress(), io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stdout", shown)
    assert answer_file(runs["cola"], source, None, progress=progress) == 2
    assert len(shown.getvalue().splitlines()) == 2
    assert progress.ends == ([] if is_terminal else [("answer", 2, None)])


def test_a_file_is_never_read_ahead_of_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is what memory holds, whatever the length of the file."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield f"the cat {read}\n".encode()

    class Endless(io.RawIOBase):
        lines = endless()

        def readline(self, size: int | None = -1, /) -> bytes:
            return next(self.lines)

    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": Endless()}))
    parts = new_in_parts(load_task("cola"), STANDARD_INPUT, ".txt")
    for number in range(1, 4):
        part = next(parts)
        assert len(part.rows) == loading.PART_ROWS
        assert read == number * loading.PART_ROWS
    monkeypatch.setattr(loading, "PART_CHARACTERS", 30)
    assert len(next(parts).rows) == 3  # of 12 characters each


def test_a_bad_row_is_named_and_nothing_is_left(
    runs: dict[str, Path],
    write_lines: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loading, "PART_ROWS", 2)
    source = write_lines("new.jsonl", *['{"text_a": "he ran"}'] * 4, '{"text_a": 3}')
    output = tmp_path / "answers.jsonl"
    output.write_text("before\n")
    arguments = ["--model", str(runs["cola"]), "--input", str(source), "--output"]
    assert main([*arguments, str(output)]) == 2
    assert "line 5: text_a is 3, not a text" in capsys.readouterr().err
    assert output.read_text() == "before\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "new.jsonl"]
    assert main([*arguments, "-"]) == 2
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_table_on_standard_input(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(runs["mnli"]), "--input", "-", "--format", "csv", "--output", "-"]
    standard_input(monkeypatch, 'text_a,text_b\n"he, or she",ran\na,b,c\n')
    assert main(arguments) == 2
    assert "<stdin>: line 3 has 3 fields, the first line has 2" in capsys.readouterr().err
    standard_input(monkeypatch, 'id,text_a,text_b\nx,"he, or she",ran\nx,a,b\n')
    assert main(arguments) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["x", "x"]


SQUAD = {"data": [{"paragraphs": [{"context": "the dog ran.", "qas": [{"id": "q", "question": "who ran?"}]}]}]}


@pytest.mark.parametrize(
    ("name", "form", "text", "ids"),
    [
        ("squad2", "json", json.dumps(SQUAD), ["q"]),
        ("conll2003", "conll", "he\nran\n\nit\n", ["0", "1"]),
        ("conll2003", "txt", "he ran\n", ["0"]),
        ("mnli", "tsv", "text_a\ttext_b\na\tb\n", ["0"]),
    ],
)
def test_other_forms_on_standard_input(
    name: str,
    form: str,
    text: str,
    ids: list[str],
    runs: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    standard_input(monkeypatch, text)
    assert main(["--model", str(runs[name]), "--input", "-", "--format", form, "--output", "-"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ids


def test_equal_ids_are_noted(
    runs: dict[str, Path], write_lines: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = '{"id": "q", "question": "who ran?", "context": "the dog ran."}'
    assert answer_file(runs["squad2"], write_lines("new.jsonl", row, row, row), tmp_path / "a.jsonl") == 3
    assert "new.jsonl: 2 rows have the id of another" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "-", "--output", "-"], "--input -: standard input has no name"),
        (["--input", "-", "--format", "parquet", "--output", "-"], "<stdin>: Parquet is read from its end"),
        (["--task", "cola", "--output", "-"], "--output -: with --task several files are written"),
        (["--task", "cola", "--format", "csv", "--output", "x"], "--format says how --input is written"),
        (["--output", "x"], "give either --input FILE or --task NAME"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: list[str], message: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(runs["cola"]), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_input_is_never_replaced(runs: dict[str, Path], write_lines: Callable[..., Path]) -> None:
    source = write_lines("new.txt", "he ran")
    with pytest.raises(FinetuningError, match="is the input too"):
        answer_file(runs["cola"], source, source)
    assert source.read_text() == "he ran\n"


def test_a_reader_that_has_enough(
    runs: dict[str, Path], write_lines: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        arguments = ["--model", str(runs["cola"]), "--input", str(write_lines("new.txt", "he ran")), "--output", "-"]
        assert main(arguments) == 141
