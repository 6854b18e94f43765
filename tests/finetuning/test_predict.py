"""Answers of a fine-tuned model: the same as in its run, to any form of new text, and to GLUE's diagnostics."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from finetuning.errors import FinetuningError
from finetuning.predict import main
from finetuning.run.answers import answer_file, answer_task
from finetuning.run.finetune import run
from finetuning.run.specification import RunSpec

KINDS = {"cola": "CoLA", "mnli": "MNLI", "stsb": "STS-B", "swag": "SWAG", "conll2003": "conll2003", "squad2": "squad"}


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

    monkeypatch.setattr("finetuning.run.answers.write_predictions", full)
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
