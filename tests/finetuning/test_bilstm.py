"""The BiLSTM on features of a frozen encoder."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from finetuning import bilstm
from finetuning.run import features
from finetuning.run.bilstm import BiLstmOptions, BiLstmTagger, WeightedSum
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


def test_the_weights_of_a_sum_are_learnt_and_begin_equal() -> None:
    """Against the formula, with other weights than the first; the gradient reaches weights and scale."""
    options = BiLstmOptions("weighted-sum-last-four", 4, 0.0)
    torch.manual_seed(1)
    tagger = BiLstmTagger(12, 2, options, states=4)
    assert isinstance(tagger.mix, WeightedSum)
    words = torch.randn(5, 12)
    torch.testing.assert_close(tagger.mix(words), words.view(5, 4, 3).mean(1))
    with torch.no_grad():
        tagger.mix.weights.copy_(torch.tensor([0.0, 1.0, -1.0, 2.0]))
        tagger.mix.scale.fill_(3.0)
    shares = [math.exp(w) / sum(math.exp(v) for v in (0, 1, -1, 2)) for w in (0, 1, -1, 2)]
    expected = 3 * sum(share * words[:, 3 * place : 3 * place + 3] for place, share in enumerate(shares))
    torch.testing.assert_close(tagger.mix(words), expected)
    tagger([words])[0].sum().backward()
    assert tagger.mix.weights.grad is not None
    assert tagger.mix.weights.grad.abs().min() > 0
    assert tagger.mix.scale.grad is not None
    assert tagger.lstm.input_size == 3


def test_the_six_rows_of_table_7(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(model_folder), "--data", str(benchmark_data), "--width", "4", "--epochs", "1"]
    arguments += ["--layers", "table-7", "--seeds", "1,2", "--context", "document", "--output", str(tmp_path)]
    assert bilstm.main(arguments) == 0
    table = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in table[1:]]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("embeddings", "2", "91.0"),
        ("second-to-last", "2", "95.6"),
        ("last", "2", "94.9"),
        ("weighted-sum-last-four", "2", "95.9"),
        ("concat-last-four", "2", "96.1"),
        ("weighted-sum-all", "2", "95.5"),
    ]
    for name, _, *_ in rows:
        scores = [Result.read(tmp_path / name / f"seed-{seed}") for seed in (1, 2)]
        assert [result.seed for result in scores] == [1, 2]
        assert scores[0].task == f"conll2003-features ({name}, width 4, dropout 0.5)"
        assert scores[0].spec.context == "document"
        assert scores[0].train_loss != scores[1].train_loss
    assert not list(tmp_path.rglob("*.tmp*"))

    # The same again makes only what is missing, and refuses what was made otherwise.
    (tmp_path / "last" / "seed-2" / "result.json").unlink()
    before = (tmp_path / "last" / "seed-1" / "result.json").stat().st_mtime_ns
    assert bilstm.main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == table
    assert (tmp_path / "last" / "seed-1" / "result.json").stat().st_mtime_ns == before
    assert bilstm.main([*arguments, "--width", "5"]) == 2
    assert "holds a run with other options" in capsys.readouterr().err
    assert bilstm.main([*arguments, "--seeds", "1,1"]) == 2
    assert "--seeds 1,1: one stands there twice" in capsys.readouterr().err


def test_many_features_lie_on_the_disk_and_are_the_same(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--model", str(model_folder), "--data", str(benchmark_data), "--width", "4", "--epochs", "1"]
    arguments += ["--layers", "weighted-sum-all"]
    assert bilstm.main([*arguments, "--output", str(tmp_path / "memory")]) == 0
    monkeypatch.setattr(features, "IN_MEMORY", 0)
    mapped: list[int] = []
    memmap = np.memmap
    monkeypatch.setattr(features.np, "memmap", lambda *a, **k: mapped.append(1) or memmap(*a, **k))
    assert bilstm.main([*arguments, "--output", str(tmp_path / "disk")]) == 0
    memory, disk = (Result.read(tmp_path / name) for name in ("memory", "disk"))
    assert disk.train_loss == memory.train_loss
    assert len(mapped) == 3
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == sorted(
        path.name for path in (tmp_path / "memory").iterdir()
    )


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


def test_a_run_of_other_inputs_is_not_taken_for_this_one(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(benchmark_data / "conll2003", tmp_path / "data"))
    model = Path(shutil.copytree(model_folder, tmp_path / "model"))
    arguments = ["--model", str(model), "--data", str(data), "--width", "4", "--epochs", "1", "--layers", "last"]
    arguments += ["--seeds", "1,2", "--output", str(tmp_path / "runs")]
    assert bilstm.main(arguments) == 0
    (model / "model.safetensors").touch()
    assert bilstm.main(arguments) == 0
    capsys.readouterr()
    for file, what in (
        (data / "eng.testa", "the dev split"),
        (model / "config.json", "the model's config.json"),
        (model / "model.safetensors", "the model"),
    ):
        before = file.read_bytes()
        if file.suffix == ".safetensors":
            weights = load_file(file)
            name = "bert.embeddings.word_embeddings.weight"
            save_file({**weights, name: weights[name] + 1}, file, metadata={"format": "pt"})
        else:
            file.write_bytes(before + b"\n")
        assert bilstm.main(arguments) == 2
        assert f"seed-1: {what} has changed since that run; delete that folder" in capsys.readouterr().err
        file.write_bytes(before)
    assert bilstm.main(arguments) == 0


def test_a_seed_counts_once_however_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bilstm.main(["--model", "nowhere", "--output", str(tmp_path / "run"), "--seeds", "1,01"]) == 2
    assert "--seeds 1,01: one stands there twice" in capsys.readouterr().err


def test_an_unknown_metric_is_said_before_training(
    model_folder: Path, write_lines: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = write_lines(
        "own.toml",
        'kind = "token"',
        'metric = "f1"',
        'columns = { words = "words", tags = "tags" }',
        'splits = { train = "t.jsonl", dev = "t.jsonl" }',
    )
    write_lines("t.jsonl", '{"words": ["he"], "tags": ["O"]}')
    arguments = ["--task", str(task), "--model", str(model_folder), "--output", str(tmp_path / "run")]
    assert bilstm.main(arguments) == 2
    assert "own: metric 'f1' is unknown for a token task" in capsys.readouterr().err
