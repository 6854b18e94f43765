"""Nothing is cut in silence: the commands count it, say it, and have one option for it."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finetuning import bilstm, features, main, predict
from finetuning.errors import FinetuningError
from finetuning.run.finetune import run
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.sweep import parse_sweep
from finetuning.sweeps.grid import plan_runs

LONG = "the cat sat on the mat near the house " * 3
OTHER = LONG.replace("house", "tree")


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    before = logging.getLogger("finetuning").level
    yield
    logging.getLogger("finetuning").setLevel(before)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The log since the last call, as a command shows it."""
    lines = [f"{record.levelname} {record.getMessage()}" for record in caplog.records]
    caplog.clear()
    return lines


@pytest.fixture
def data(write_lines: Callable[..., Path]) -> Path:
    """SST-2 with a long row in training, and two of four in dev."""
    write_lines("train.tsv", "sentence\tlabel", *(f"the cat sat {n}\t{n % 2}" for n in range(120)), f"{OTHER}\t1")
    write_lines("test.tsv", "index\tsentence", "0\tit", f"1\t{LONG}")
    return write_lines("dev.tsv", "sentence\tlabel", "the cat\t1", f"{LONG}\t0", "he ran\t0", f"{LONG}it\t1").parent


@pytest.fixture
def arguments(data: Path, model_folder: Path, tmp_path: Path) -> list[str]:
    return ["--task", "sst2", "--data", str(data), "--model", str(model_folder), "--output", str(tmp_path / "run")]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_counts_says_and_keeps_what_it_cut(
    arguments: list[str],
    tmp_path: Path,
    data: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    write_lines: Callable[..., Path],
) -> None:
    assert main.main([*arguments, "--epochs", "1", "--max-length", "16", "--save-model"]) == 0
    result = Result.read(tmp_path / "run")
    counts = {name: (c.rows, c.truncated_rows, c.lost_tokens, c.longest) for name, c in result.truncation.items()}
    assert counts == {"train": (121, 1, 13, 29), "dev": (4, 2, 27, 30), "test": (2, 1, 13, 29)}
    log = said(caplog)
    assert log[0].startswith("INFO train: 1 of 121 rows (0.83 %) are cut at max_length 16, 13 of ")
    warnings = [line for line in log if line.startswith("WARNING")]
    assert len(warnings) == 2, "less than one in a hundred rows of train"
    assert warnings[0].startswith("WARNING dev: 2 of 4 rows (50 %) are cut at max_length 16, 27 of ")
    assert [f"WARNING {note}" for note in result.notes] == warnings
    assert [row.get("lost_tokens") for row in lines_of(tmp_path / "run" / "predictions-dev.jsonl")] == [
        None,
        13,
        None,
        14,
    ]

    # Answers are given at the length of training, unless another is asked for.
    source, output = write_lines("new.txt", "the cat", LONG, "", " \u200d "), tmp_path / "answers.jsonl"
    common = ["--model", str(tmp_path / "run"), "--input", str(source), "--output", str(output)]
    assert predict.main(common) == 0
    assert [row.get("lost_tokens") for row in lines_of(output)] == [None, 13, None, None]
    assert any(line.startswith("WARNING new.txt: 1 of 4 rows (25 %) are cut at max_length 16") for line in said(caplog))
    assert predict.main([*common, "--max-length", "29"]) == 0
    assert [row.get("lost_tokens") for row in lines_of(output)] == [None] * 4
    assert predict.main([*common, "--max-length", "385"]) == 2
    assert "--max-length 385 is more than the model's 384 positions" in capsys.readouterr().err
    split = ["--model", str(tmp_path / "run"), "--task", "sst2", "--data", str(data), "--output", str(tmp_path / "all")]
    assert predict.main(split) == 0
    assert json.loads((tmp_path / "all" / "truncation.json").read_text())["test"]["lost_tokens"] == 13


def test_features_count_what_they_cut(
    model_folder: Path,
    write_lines: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, output = write_lines("new.txt", "the cat", LONG), tmp_path / "f.arrow"
    common = ["--model", str(model_folder), "--input", str(source), "--output", str(output)]
    assert features.main([*common, "--max-length", "16"]) == 0
    assert pa.ipc.open_stream(output.read_bytes()).read_all()["lost_tokens"].to_pylist() == [0, 13]
    assert capsys.readouterr().out == f"2 rows, vectors of 32 in {output}; 1 rows cut\n"
    assert any(line.startswith("WARNING new.txt: 1 of 2 rows (50 %) are cut at max_length 16") for line in said(caplog))
    with monkeypatch.context() as patch:
        patch.setattr("finetuning.run.features.CHUNK_ROWS", 1)
        write_lines("new.txt", LONG, "the cat")
        assert features.main([*common, "--max-length", "16"]) == 0
    assert capsys.readouterr().out.endswith("; 1 rows cut\n"), "of all runs of rows together"
    assert features.main(common) == 0
    assert capsys.readouterr().out.endswith("; 0 rows cut\n")
    assert features.main([*common, "--max-length", "400"]) == 2
    assert "--max-length 400 is more than the model's 384 positions" in capsys.readouterr().err


@pytest.mark.parametrize("command", [main, predict, features, bilstm])
def test_a_length_below_eight_is_one_sentence(command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {main: ["--task", "cola"], predict: ["--input", "x"], features: ["--input", "x"], bilstm: []}[command]
    assert command.main([*given, "--model", "m", "--output", str(tmp_path / "o"), "--max-length", "7"]) == 2
    error = capsys.readouterr().err
    assert "(--max-length) 7: input should be greater than or equal to 8" in error
    assert len(error.splitlines()) == 1


def test_one_option_of_two_names(write_lines: Callable[..., Path], tmp_path: Path) -> None:
    for words in (["--max-length", "64"], ["--sequence-length", "64"], ["--max_length=64"]):
        assert main.parse_spec(["--task", "cola", "--model", "m", "--output", "o", *words])[0].sequence_length == 64
    path = write_lines("run.toml", 'task = "cola"', 'model = "m"', "max_length = 64", f'output = "{tmp_path}"')
    assert main.parse_spec(["--config", str(path)])[0].sequence_length == 64
    assert main.parse_spec(["--config", str(path), "--max-length", "32"])[0].sequence_length == 32
    path.write_text(path.read_text() + "sequence_length = 64\n")
    with pytest.raises(FinetuningError, match="max_length and sequence_length are the same"):
        main.parse_spec(["--config", str(path)])


@pytest.mark.parametrize(
    ("words", "lengths"),
    [
        ([], {"cola": None, "rte": None}),
        (["--max-length", "64"], {"cola": 64, "rte": 64}),
        (["--max-length", "64", "--task.rte.options.max-length", "96"], {"cola": 64, "rte": 96}),
        (["--options.max-length", "48", "--max-length", "64"], {"cola": 48, "rte": 48}),
    ],
)
def test_a_sweep_has_it_for_all_tasks_and_for_one(words: list[str], lengths: dict[str, int | None]) -> None:
    config, _ = parse_sweep(["--models", "a=m", "--tasks", "cola,rte", "--output", "o", "--seeds", "1", *words])
    assert {run.task_name: run.spec(Path("o")).sequence_length for run in plan_runs(config)} == lengths
    both = ["--options.max-length", "48", "--options.sequence-length", "64"]
    with pytest.raises(FinetuningError, match="max_length and sequence_length are the same"):
        parse_sweep(["--models", "a=m", "--output", "o", *both])


def test_a_model_of_fewer_positions_than_the_task_asks_for(
    data: Path, model_folder: Path, tmp_path: Path, write_lines: Callable[..., Path]
) -> None:
    task = write_lines(
        "own.toml", 'kind = "classification"', 'labels = [0, 1]', 'metric = "accuracy"', "max_length = 500",
        'columns = { text_a = "sentence", label = "label" }', 'splits = { train = "train.tsv", dev = "dev.tsv" }',
    )  # fmt: skip
    result = run(RunSpec(task=str(task), model=str(model_folder), output=tmp_path / "run", epochs=1, limit_train=8))
    assert result.truncation["dev"].limit == 384
    assert "max_length is 384, the positions of the model, not the 500 of own" in result.notes
