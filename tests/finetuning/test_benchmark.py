"""The comparison with transformers' Trainer: it runs on every task, and its statistics are right."""

import json
import math
from pathlib import Path

import pytest

from benchmarks import finetuning


def test_standard_errors_are_welch() -> None:
    first, second = [0.5, 0.6, 0.7], [0.4, 0.4, 0.7]
    variances = 0.01, 0.03
    expected = (0.6 - 0.5) / math.sqrt(variances[0] / 3 + variances[1] / 3)
    assert finetuning.standard_errors(first, second) == pytest.approx(expected)
    assert finetuning.standard_errors([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert finetuning.standard_errors([0.5, 0.5], [0.4, 0.4]) is None
    assert finetuning.standard_errors([0.5], [0.4]) is None


def test_both_sides_run_on_every_task(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "glue").symlink_to(benchmark_data)
    for name in ("squad", "conll2000"):
        (tmp_path / name).symlink_to(benchmark_data / name)
    arguments = ["--seeds", "2", "--limit-rows", "6", "--epochs", "1", "--threads", "1"]
    assert finetuning.main([*arguments, "--model", str(model_folder), "--data", str(tmp_path)]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(summary["epoch_time_over_transformers"]) == set(finetuning.SIZES)
    assert all(ratio > 0 for ratio in summary["epoch_time_over_transformers"].values())
    assert set(summary["difference_in_standard_errors"]) == set(finetuning.SIZES)
    for sides in summary["scores"].values():
        assert len(sides["ours"]) == len(sides["transformers"]) == 2


def test_wrong_options_end_with_a_sentence(
    capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path
) -> None:
    assert finetuning.main(["--tasks", "mnli"]) == 2
    assert "no comparison for mnli" in capsys.readouterr().err
    assert finetuning.main(["--model", str(model_folder), "--data", str(tmp_path), "--tasks", "cola"]) == 2
    assert "no train.tsv" in capsys.readouterr().err
