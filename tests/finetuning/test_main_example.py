"""The example of a task of one's own in `docs/finetuning.md` runs as it stands there."""

import json
import re
import shlex
from pathlib import Path

import pytest

from finetuning import main, predict
from finetuning.run.result import Result


@pytest.fixture
def example(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Writes the example's files into the working folder; its commands, as words."""
    page = (repository / "docs" / "finetuning.md").read_text(encoding="utf-8")
    section = page[page.index("## A task of your own") : page.index("## How files are read")]
    files = re.findall(r"^`([\w/.]+)`:\n\n((?:    .*\n)+)", section, re.MULTILINE)
    for name, block in files:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(re.sub("^    ", "", block, flags=re.MULTILINE), encoding="utf-8")
    assert len(files) == 4
    monkeypatch.chdir(tmp_path)
    return [shlex.split(line) for line in re.findall(r"^    (python -m finetuning\..*)$", section, re.MULTILINE)]


def test_it_runs(example: list[list[str]], model_folder: Path) -> None:
    commands = {"finetuning.main": main.main, "finetuning.predict": predict.main}
    for words in example:
        arguments = [str(model_folder) if word == "FOLDER" else word for word in words[3:]]
        assert commands[words[2]](arguments) == 0
    result = Result.read(Path("runs/reviews"))
    assert (result.task, result.train_rows, result.dev_rows, result.notes) == ("reviews", 4, 2, ())
    assert {name: counts.limit for name, counts in result.truncation.items()} == {"train": 64, "dev": 64}
    answers = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert [answer["id"] for answer in answers] == ["0", "1"]
    assert {answer["prediction"] for answer in answers} <= {"bad", "good"}
