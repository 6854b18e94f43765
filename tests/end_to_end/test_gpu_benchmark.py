"""`python -m benchmarks.gpu --dry`: on a borrowed GPU no minute may go into mistakes of the benchmark."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu.__main__ import main, parts

# Of these nothing is there: the command as from a plain checkout on a machine with torch.
WITHOUT = """
import runpy, sys

sys.modules.update(dict.fromkeys({missing}))
sys.argv[1:] = {arguments}
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""
LESS = {"deepspeed", "transformers", "numba", "apache_beam", "torchao", "flash_attn", "nanotoken", "pyarrow", "psutil"}


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "figures.jsonl").read_text(encoding="utf-8").splitlines()]


def started(repository: Path, missing: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    script = WITHOUT.format(missing=missing, arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, timeout=500, check=False
    )


@pytest.mark.slow
def test_every_part_runs_on_the_cpu(repository: Path, tmp_path: Path) -> None:
    done = started(repository, set(), "--dry", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    lines = lines_of(tmp_path)
    assert [line for line in lines if "failed" in line] == []
    assert {line["of"] for line in lines if line["part"] == "timing"} == set(parts(dry=True))
    steps = {(line["case"], line["contestant"]) for line in lines if line["part"] == "step"}
    names = {"ours", "ours, compiled", "transformers, sdpa", "transformers, sdpa, compiled"}
    assert {name for _, name in steps} >= names
    assert {case for case, _ in steps} == {"tiny-32", "tiny-64", "mini-32"}
    planned = [line["planned_gib"] for line in lines if "planned_gib" in line]
    assert len(planned) == 8
    assert min(planned) > 0
    assert {line["optimizer"] for line in lines if line["part"] == "engine"} == {"adamw", "lamb"}
    assert {line["precision"] for line in lines if line["part"] == "finetuning"} == {"fp32", "tf32", "bf16"}
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert report in done.stdout
    assert report.count("The three largest gaps to the peak") == 6
    (environment,) = [line for line in lines if line["part"] == "environment"]
    assert environment["versions"]["torch"]
    assert environment["date"].startswith("20")


@pytest.mark.slow
def test_torch_numpy_and_pydantic_are_enough(repository: Path, tmp_path: Path) -> None:
    done = started(repository, LESS, "--dry", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    lines = lines_of(tmp_path)
    assert [line for line in lines if "failed" in line] == []
    assert {line["contestant"] for line in lines if line["part"] == "step"} == {"ours", "ours, compiled"}
    skipped = {line["what"]: line["why"] for line in lines if line["part"] == "skipped"}
    assert skipped["engine"] == "deepspeed is not installed"
    assert skipped["transformers, sdpa"] == "transformers is not installed"
    assert skipped["finetuning"].endswith("is not installed")


def test_without_what_it_needs_it_says_so_in_a_sentence(repository: Path, tmp_path: Path) -> None:
    done = started(repository, {"pydantic"}, "--dry", "--output", str(tmp_path))
    assert (done.returncode, done.stderr) == (2, "benchmarks.gpu needs pydantic: python -m pip install pydantic\n")


def test_what_there_is_no_time_for_is_said(tmp_path: Path) -> None:
    assert main(["--dry", "--output", str(tmp_path), "--minutes", "0"]) == 0
    assert {line["what"] for line in lines_of(tmp_path) if line["part"] == "not reached"} == set(parts(dry=True))
    assert "base-128: not reached" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_part_that_fails_is_noted_and_the_next_one_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("benchmarks.gpu.__main__.ceilings", broken)
    assert main(["--dry", "--output", str(tmp_path), "--only", "attention"]) == 1
    lines = lines_of(tmp_path)
    assert [line["what"] for line in lines if "failed" in line] == ["ceilings"]
    assert any(line["part"] == "attention" for line in lines)
    assert "ceilings: failed: RuntimeError('broken')" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU")
def test_without_a_gpu_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path)]) == 2
    assert "say --dry" in capsys.readouterr().err
