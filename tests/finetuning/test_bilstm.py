"""The BiLSTM on features of a frozen encoder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning import bilstm
from finetuning.run.result import Result


def test_bilstm_learns_from_frozen_features(model_folder: Path, benchmark_data: Path, tmp_path: Path) -> None:
    arguments = ["--task", "conll2003", "--model", str(model_folder), "--data", str(benchmark_data), "--width", "16"]
    arguments += ["--epochs", "40", "--learning-rate", "0.02", "--dropout", "0.1", "--layers", "sum-last-four"]
    assert bilstm.main([*arguments, "--output", str(tmp_path / "run")]) == 0
    result = Result.read(tmp_path / "run")
    assert result.task == "conll2003-features (sum-last-four, width 16, dropout 0.1)"
    assert result.majority_score == 0.0
    assert result.score > 0.9
    assert result.metrics.keys() >= {"entity_f1", "test/entity_f1"}
    assert bilstm.main([*arguments, "--output", str(tmp_path / "again")]) == 0
    assert Result.read(tmp_path / "again").train_loss == result.train_loss


def test_bilstm_counts_the_ends_of_words_that_do_not_fit(
    model_folder: Path, write_lines: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_lines("train.txt", "he PRP B-NP", "ran VBD B-VP", "", "it PRP B-NP", "").parent
    write_lines("test.txt", "xyzxyzxyz NN B-NP", "", "he PRP B-NP", "")
    arguments = ["--task", "conll2000", "--model", str(model_folder), "--data", str(data), "--width", "8"]
    assert bilstm.main([*arguments, "--epochs", "1", "--max-length", "8", "--output", str(tmp_path / "run")]) == 0
    result = Result.read(tmp_path / "run")
    assert (result.truncation["dev"].truncated_rows, result.truncation["dev"].lost_tokens) == (1, 3)
    (note,) = [note for note in result.notes if note.startswith("dev: 1 of 2 rows (50 %) are cut at max_length 8")]
    assert note in [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    answers = (tmp_path / "run" / "predictions-dev.jsonl").read_text().splitlines()
    assert [json.loads(line).get("lost_tokens") for line in answers] == [3, None]


def test_bilstm_refuses_other_kinds(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--task",
        "cola",
        "--model",
        str(model_folder),
        "--data",
        str(benchmark_data),
        "--output",
        str(tmp_path),
    ]
    assert bilstm.main(arguments) == 2
    assert "needs a token task" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--epochs", "0", "--epochs 0.0: input should be greater than 0"),
        ("--epochs", "2.5", "--epochs 2.5: the BiLSTM trains whole epochs only"),
        ("--epochs", "inf", "should be a finite number"),
        ("--batch-size", "0", "--batch-size 0: "),
        ("--dropout", "2", "--dropout 2: must be at least 0 and less than 1"),
        ("--dropout", "nan", "--dropout nan: "),
        ("--width", "0", "--width 0: must be at least 1"),
    ],
)
def test_bilstm_options_that_no_run_can_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, says: str
) -> None:
    assert bilstm.main(["--model", "nowhere", "--output", str(tmp_path / "run"), option, value]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "run").exists()


def test_bilstm_does_not_overwrite_a_finished_run(
    tmp_path: Path, write_result: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (write_result(tmp_path / "run") / "result.json").read_bytes()
    assert bilstm.main(["--model", "nowhere", "--output", str(tmp_path / "run")]) == 2
    assert "holds a finished run" in capsys.readouterr().err
    assert (tmp_path / "run" / "result.json").read_bytes() == before


def test_bilstm_says_that_another_try_may_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("finetuning.run.bilstm.run_bilstm", full)
    assert bilstm.main(["--model", "nowhere", "--output", str(tmp_path / "run")]) == 75
    assert "run the same again" in capsys.readouterr().err
