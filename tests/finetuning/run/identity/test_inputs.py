"""What a run read is noted, and a change of it seen."""

import os
from pathlib import Path

import pytest

from finetuning.run.identity import inputs
from finetuning.run.identity.inputs import InputFile, inputs_of, task_content
from finetuning.run.specification import RunSpec
from finetuning.tasks.task import read_task

DAY = 86_400_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.tsv"
    path.write_text("first")
    return path


def test_a_file_is_read_again_only_where_size_and_time_do_not_tell(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = InputFile.of(file)
    inputs.file_hash.cache_clear()
    monkeypatch.setattr(inputs, "file_hash", lambda *_: pytest.fail("it was read"))
    assert noted.is_same(file)
    file.write_text("longer than before")
    assert not noted.is_same(file)


def test_a_copy_is_the_same_and_other_bytes_of_the_same_length_are_not(file: Path) -> None:
    noted = InputFile.of(file)
    os.utime(file, ns=(0, noted.modified_ns + DAY))
    assert noted.is_same(file)
    file.write_text("other")
    os.utime(file, ns=(0, noted.modified_ns + 2 * DAY))
    assert not noted.is_same(file)


def test_everything_that_a_run_reads_is_noted(model_folder: Path, benchmark_data: Path, tmp_path: Path) -> None:
    task = read_task("mnli")[0]
    spec = RunSpec(task="mnli", model=str(model_folder), data=benchmark_data, output=tmp_path)
    found = inputs_of(spec)
    assert sorted(found.data) == ["ax", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched", "train"]
    assert found.tokenizer is not None
    assert Path(found.tokenizer.path).parent == model_folder
    assert found.configuration is not None
    assert [Path(file.path).name for file in found.weights] == ["model.safetensors"]
    assert found.task == task_content(task)
    assert found.task["labels"] == ["entailment", "neutral", "contradiction"]
    assert "title" not in found.task
    untested = inputs_of(spec.model_copy(update={"predict_test": False, "random_weights": True}))
    assert sorted(untested.data) == ["dev_matched", "dev_mismatched", "train"]
    assert untested.weights == ()
    on_the_hub = inputs_of(spec.model_copy(update={"data": None, "model": f"random:{model_folder}/config.json"}))
    assert on_the_hub.data == {}
    assert on_the_hub.configuration == found.configuration
    assert on_the_hub.tokenizer == found.tokenizer
