"""GLUE zips and SQuAD files as the servers and official scripts read them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import kind_of, load_task
from finetuning.reporting.submission import GLUE_ROWS
from finetuning.submission import main

ANSWERS = {
    "CoLA": "1",
    "SST-2": "0",
    "MRPC": "1",
    "QQP": "0",
    "QNLI": "entailment",
    "RTE": "not_entailment",
    "WNLI": "1",
}
TASKS = {"cola": "CoLA", "sst2": "SST-2", "mrpc": "MRPC", "qqp": "QQP", "qnli": "QNLI", "rte": "RTE", "wnli": "WNLI"}


def predict(folder: Path, task: str, split: str, answers: list[object]) -> None:
    """The files that a run leaves for a test split."""
    rows = [Prediction(str(number), None, answer, None) for number, answer in enumerate(answers)]
    loaded = load_task(task)
    kind_of(loaded).write_benchmark_files(folder, loaded, split, rows)


@pytest.fixture
def all_of_glue(tmp_path: Path, write_result: Callable[..., Path]) -> Path:
    """A finished run of every task with predictions for test sets of three rows."""
    root = tmp_path / "runs"
    for task, name in TASKS.items():
        predict(write_result(root / task, task=task), task, "test", [ANSWERS[name]] * 3)
    predict(write_result(root / "stsb", task="stsb"), "stsb", "test", [2.5, -1.0, 5.2])
    mnli = write_result(root / "mnli", task="mnli")
    for split in ("test_matched", "test_mismatched", "ax"):
        predict(mnli, "mnli", split, ["neutral", "entailment", "contradiction"])
    return root


def test_the_zip_has_every_file_with_its_exact_name_header_and_rows(all_of_glue: Path, tmp_path: Path):
    assert main(["glue", str(all_of_glue), "--output", str(tmp_path / "glue.zip"), "--any-size"]) == 0
    with zipfile.ZipFile(tmp_path / "glue.zip") as archive:
        assert archive.namelist() == [
            "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv", "QNLI.tsv",
            "RTE.tsv", "WNLI.tsv", "AX.tsv",
        ]  # fmt: skip
        assert archive.read("CoLA.tsv") == b"index\tprediction\n0\t1\n1\t1\n2\t1\n"
        assert archive.read("STS-B.tsv") == b"index\tprediction\n0\t2.500\n1\t0.000\n2\t5.000\n"
        for name in ("MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"):
            assert archive.read(name) == b"index\tprediction\n0\tneutral\n1\tentailment\n2\tcontradiction\n"
        assert archive.read("RTE.tsv").splitlines()[1] == b"0\tnot_entailment"


def test_equal_predictions_give_equal_bytes(all_of_glue: Path, tmp_path: Path):
    for name in ("one.zip", "two.zip"):
        assert main(["glue", str(all_of_glue), "--output", str(tmp_path / name), "--any-size"]) == 0
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_run_with_the_best_dev_score_is_taken(all_of_glue: Path, tmp_path: Path, write_result: Callable[..., Path]):
    predict(write_result(all_of_glue / "better", task="cola", score=0.9, seed=2), "cola", "test", ["0", "0", "0"])
    predict(write_result(all_of_glue / "worse", task="cola", score=0.1, seed=3), "cola", "test", ["0", "1", "1"])
    assert main(["glue", str(all_of_glue), "--output", str(tmp_path / "glue.zip"), "--any-size"]) == 0
    with zipfile.ZipFile(tmp_path / "glue.zip") as archive:
        assert archive.read("CoLA.tsv") == b"index\tprediction\n0\t0\n1\t0\n2\t0\n"


def test_a_task_that_was_not_run_is_named_or_gets_a_constant(all_of_glue: Path, tmp_path: Path, capsys):
    (all_of_glue / "wnli" / "submission" / "WNLI.tsv").unlink()
    arguments = ["glue", str(all_of_glue), "--output", str(tmp_path / "glue.zip"), "--any-size"]
    assert main(arguments) == 2
    assert "no test predictions for WNLI.tsv" in capsys.readouterr().err
    assert not (tmp_path / "glue.zip").exists()
    assert main([*arguments, "--constant", "WNLI=0"]) == 0
    with zipfile.ZipFile(tmp_path / "glue.zip") as archive:
        lines = archive.read("WNLI.tsv").decode().splitlines()
    assert lines[0] == "index\tprediction"
    assert lines[1:] == [f"{number}\t0" for number in range(GLUE_ROWS["WNLI.tsv"])]
    assert main([*arguments, "--allow-missing"]) == 0
    assert main([*arguments, "--constant", "XYZ=0"]) == 2


def test_a_zip_that_cannot_be_written_is_one_sentence(all_of_glue: Path, tmp_path: Path, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("finetuning.reporting.submission.write_zip", full)
    assert main(["glue", str(all_of_glue), "--output", str(tmp_path / "g.zip"), "--any-size"]) == 75
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line


def test_two_models_under_one_label_are_not_one(tmp_path: Path, write_result: Callable[..., Path], capsys):
    for number, folder in enumerate(("x", "y")):
        write_result(tmp_path / folder, model_fingerprint=str(number) * 64, seed=number)
    assert main(["glue", str(tmp_path), "--output", str(tmp_path / "g.zip"), "--allow-missing"]) == 2
    assert "both of a model called a, but started from different weights" in capsys.readouterr().err


def test_runs_of_two_models_need_a_choice(tmp_path: Path, write_result: Callable[..., Path], capsys):
    for label in ("a", "b"):
        folder = write_result(tmp_path / label, spec={"model": f"models/{label}/export"})
        predict(folder, "cola", "test", [(label == "b" and "1") or "0"])
    arguments = ["glue", str(tmp_path), "--output", str(tmp_path / "g.zip"), "--any-size", "--allow-missing"]
    assert main(arguments) == 2
    assert "several models (a, b)" in capsys.readouterr().err
    assert main([*arguments, "--model", "b"]) == 0
    with zipfile.ZipFile(tmp_path / "g.zip") as archive:
        assert archive.read("CoLA.tsv").endswith(b"0\t1\n")


@pytest.mark.parametrize("task", ["squad1", "squad2"])
def test_squad_files(tmp_path: Path, write_result: Callable[..., Path], capsys, task: str):
    run = write_result(tmp_path / "run", task=task)
    rows = [
        Prediction("q1", ["Paris"], "Paris", {"Paris": 0.9, "in Paris": 0.1}, -3.5, "Paris"),
        Prediction("q2", [], "", {"": 0.8, "he": 0.2}, 2.0, "he"),
    ]
    loaded = load_task(task)
    kind_of(loaded).write_benchmark_files(run, loaded, "dev", rows)
    assert main(["squad", str(run), "--output", str(tmp_path / "out")]) == 0
    read = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert read["predictions.json"] == {"q1": "Paris", "q2": ""}
    assert read["nbest_predictions.json"]["q1"] == [
        {"text": "Paris", "probability": 0.9},
        {"text": "in Paris", "probability": 0.1},
    ]
    assert read.get("null_odds.json") == ({"q1": -3.5, "q2": 2.0} if task == "squad2" else None)
    assert main(["squad", str(run), "--output", str(tmp_path / "none"), "--split", "test"]) == 2
    assert "squad-test-predictions.json" in capsys.readouterr().err


def test_squad_s_options_are_passed_on(tmp_path: Path, write_result: Callable[..., Path], capsys):
    for task in ("squad1", "squad2"):
        loaded = load_task(task)
        rows = [Prediction("q1", [], "", {}, 2.0, "he")]
        kind_of(loaded).write_benchmark_files(write_result(tmp_path / task, task=task), loaded, "dev", rows)
    arguments = ["squad", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "runs of squad1 and squad2: choose one with --task" in capsys.readouterr().err
    assert main([*arguments, "--task", "squad2", "--null-threshold=2.5"]) == 0
    assert json.loads((tmp_path / "out" / "predictions.json").read_text()) == {"q1": "he"}
    assert main([*arguments, "--task", "squad2", "--null-threshold", "low"]) == 2
    assert "--null-threshold low: write a number, or best" in capsys.readouterr().err


def test_no_runs_at_all(tmp_path: Path, capsys):
    assert main(["glue", str(tmp_path), "--output", str(tmp_path / "g.zip")]) == 2
    assert "no finished run" in capsys.readouterr().err
    assert main(["squad", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")]) == 2
    assert "not a folder" in capsys.readouterr().err
