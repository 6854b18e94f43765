"""The command: wrong options end with a sentence; real processes, which a second start does not start again."""

import json
from pathlib import Path

import pytest

from benchmarks.finetuning import __main__ as command
from benchmarks.finetuning.backends import backends
from benchmarks.finetuning.options import Options


def test_wrong_options_end_with_a_sentence(
    capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path
) -> None:
    assert command.main([]) == 2
    assert "--data is missing" in capsys.readouterr().err
    given = ["--model", str(model_folder), "--data", str(tmp_path), "--output", str(tmp_path / "output")]
    assert command.main([*given, "--tasks", "mnli"]) == 2
    assert "no comparison for 'mnli'" in capsys.readouterr().err
    assert command.main([*given, "--tasks", "cola"]) == 2
    assert "no train.tsv" in capsys.readouterr().err
    assert command.main([*given, "--seeds", "0"]) == 2
    assert "--seeds 0" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_defaults() -> None:
    options = Options(data=Path("data"))
    assert (options.seeds, options.threads, options.jobs, options.device) == (5, 1, 1, "cpu")
    assert options.limit_train is options.limit_dev is options.epochs is None


def test_what_multiplies_is_named() -> None:
    found = backends()
    assert set(found["products_on_cpu"]) == {"ours", "transformers"}
    assert found["products_on_cpu"]["transformers"] != "unknown"
    assert {"torch", "transformers", "onednn", "cpu_capability"} <= found.keys()


@pytest.mark.slow
def test_real_processes(model_folder: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["--model", str(model_folder), "--data", str(data), "--tasks", "cola,squad1", "--seeds", "2"]
    given += ["--limit-train", "6", "--limit-dev", "4", "--output", str(tmp_path / "output"), "--jobs", "2"]
    given += ["--json", str(tmp_path / "scores.json")]
    assert command.main(given) == 0
    out = capfd.readouterr().out
    assert out.count(" score ") == 8
    assert "| cola | 6 × 2 |" in out
    figures = json.loads((tmp_path / "scores.json").read_text())
    assert list(figures["tasks"]) == ["cola", "squad1"]
    assert all(len(scores) == 2 for task in figures["tasks"].values() for scores in task["scores"].values())
    (tmp_path / "output" / "cola-2-ours.json").unlink()
    assert command.main(given) == 0
    again = capfd.readouterr().out
    assert again.count(" score ") == 1
    assert again.splitlines()[0].startswith("cola seed 2 ours")


@pytest.mark.slow
def test_a_run_that_fails_ends_the_command(
    model_folder: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", str(tmp_path / "none"), "--data", str(data), "--tasks", "cola", "--seeds", "1"]
    assert command.main([*given, "--output", str(tmp_path / "output")]) == 2
    assert "error: cola, seed 1, by ours: " in (said := capfd.readouterr().err)
    assert "no such folder" in said
