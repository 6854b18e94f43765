"""A whole run, and the folder that it leaves."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForPreTraining, AutoTokenizer

from benchmarks.transformers_pretraining import outcome, run
from benchmarks.transformers_pretraining.__main__ import main
from benchmarks.transformers_pretraining.peer import peer_model
from benchmarks.transformers_pretraining.settings import Settings
from preprocessing.shards import ShardSet
from pretraining.errors import PretrainingError
from pretraining.model.huggingface import import_bert


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were evaluated, in place of an evaluation."""
    asked: list[Path] = []

    def figures(folder: Path, *_: Any) -> dict[str, dict[str, Any]]:
        import_bert(folder)
        asked.append(folder)
        return {"all": {"loss": 2.5, "mlm_accuracy": 0.25}}

    monkeypatch.setattr(run, "figures_of", figures)
    return asked


def test_a_folder_is_done_once(
    settings: Callable[..., Settings],
    evaluations: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen, output = settings("--loop", "plain", "--steps", "3"), tmp_path / "output"
    first = run.run(chosen, output)
    result = json.loads((output / "result.json").read_text())
    assert (result["steps"], result["sequences"], result["evaluation"]["all"]["loss"]) == (3, 24, 2.5)
    assert evaluations == [output / "export"]
    assert run.run(chosen, output) == first.replace(": 3 steps", " is complete, nothing was done: 3 steps")
    assert len(evaluations) == 1

    with pytest.raises(PretrainingError, match=r"holds a run with other settings \(recipe\)"):
        run.run(settings("--loop", "plain", "--steps", "4"), output)

    (output / "result.json").unlink()  # as a run that was killed
    lines = (output / "metrics.jsonl").read_text().count("\n")
    capsys.readouterr()
    run.run(chosen, output)
    assert "holds a run that did not end: it begins anew" in capsys.readouterr().err
    assert (output / "metrics.jsonl").read_text().count("\n") == lines


def test_the_export_is_what_finetuning_takes(
    settings: Callable[..., Settings], evaluations: list[Path], tmp_path: Path
) -> None:
    run.run(settings("--loop", "plain", "--steps", "3"), tmp_path / "output")
    names = {path.name for path in (tmp_path / "output" / "export").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"} <= names
    _, problems = AutoModelForPreTraining.from_pretrained(tmp_path / "output" / "export", output_loading_info=True)
    assert not problems["missing_keys"]
    assert not problems["unexpected_keys"]
    assert AutoTokenizer.from_pretrained(tmp_path / "output" / "export").mask_token == "[MASK]"


def test_figures_are_of_our_evaluation(settings: Callable[..., Settings], sets: list[ShardSet], tmp_path: Path) -> None:
    outcome.export(peer_model(settings().recipe, sets), sets[0], tmp_path / "export")
    found = outcome.figures_of(tmp_path / "export", sets, 32, 30, threads=1)
    assert found["all"]["sequences"] == 30
    assert set(found) == {"all", "books", "wikipedia"}


def test_an_evaluation_that_fails(sets: list[ShardSet], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 2, "", "a warning\nerror: absent: give a model folder\n")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(PretrainingError, match=r"^pretraining\.evaluate ended with exit code 2: absent: give a model"):
        outcome.figures_of(Path("absent"), sets, 32, 30, threads=1)


def test_a_foreign_folder_is_left_alone(
    settings: Callable[..., Settings], shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings()  # writes the recipe
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "thesis.txt").write_text("mine")
    words = ["--shards", str(shards), "--config", str(tmp_path / "recipe.toml")]
    assert main([*words, "--output", str(tmp_path / "output")]) == 2
    assert "is not empty and no settings.json says" in capsys.readouterr().err
    assert main([*words, "--output", str(tmp_path / "new"), "--set", "optimizer.name=lamb"]) == 2
    assert "error: optimizer.name" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_no_held_out_examples(sets: list[ShardSet], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome.require_held_out(sets, 32)
    monkeypatch.setattr(outcome, "Examples", lambda *_: ())
    with pytest.raises(PretrainingError, match="has no held-out examples of length 32"):
        outcome.require_held_out(sets, 32)
