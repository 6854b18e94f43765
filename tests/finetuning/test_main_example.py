"""The examples of a task of one's own in `docs/` run as they stand there."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finetuning import main, predict
from finetuning.run.result import Result

EXAMPLES = {
    "Two texts and a class": ("follows", "f1"),
    "A number": ("alike", "spearman"),
    "One of several endings": ("stories", "accuracy"),
    "A tag for each word": ("names", "entity_f1"),
    "A part of a text, or none": ("help", "f1"),
    "Any number of labels": ("topics", "micro_f1"),
}


def write_example(section: str, folder: Path) -> list[list[str]]:
    """Writes the files of a section of a page; its commands, as words."""
    files = re.findall(r"^`([\w/.]+)`:\n\n((?:    .*\n)+)", section, re.MULTILINE)
    for name, block in files:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(re.sub("^    ", "", block, flags=re.MULTILINE), encoding="utf-8")
    assert len(files) == 4
    return [shlex.split(line) for line in re.findall(r"^    (python -m finetuning\..*)$", section, re.MULTILINE)]


def run_example(commands: Sequence[Sequence[str]], model_folder: Path) -> None:
    programs = {"finetuning.main": main.main, "finetuning.predict": predict.main}
    assert [words[2] for words in commands] == list(programs)
    for words in commands:
        assert programs[words[2]]([str(model_folder) if word == "FOLDER" else word for word in words[3:]]) == 0


def answers() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]


def test_it_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    page = (repository / "docs" / "own-tasks.md").read_text(encoding="utf-8")
    section = page[page.index("## A text and its class") : page.index("## Two texts and a class")]
    monkeypatch.chdir(tmp_path)
    run_example(write_example(section, tmp_path), model_folder)
    result = Result.read(Path("runs/reviews"))
    assert (result.task, result.train_rows, result.dev_rows, result.notes) == ("reviews", 4, 2, ())
    assert {name: counts.limit for name, counts in result.truncation.items()} == {"train": 64, "dev": 64}
    assert [answer["id"] for answer in answers()] == ["0", "1"]
    assert {answer["prediction"] for answer in answers()} <= {"bad", "good"}


def test_the_page_of_own_tasks_has_these_examples(repository: Path) -> None:
    page = (repository / "docs" / "own-tasks.md").read_text(encoding="utf-8")
    headings = ["A text and its class", *EXAMPLES, "What a task file may say"]
    assert re.findall("^## (.*)$", page, re.MULTILINE) == headings


@pytest.mark.parametrize("title", list(EXAMPLES))
def test_an_example_of_each_kind_runs(
    title: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_folder: Path
) -> None:
    page = (repository / "docs" / "own-tasks.md").read_text(encoding="utf-8")
    section = page[page.index(f"## {title}\n") :].removeprefix("## ").split("\n## ")[0]
    monkeypatch.chdir(tmp_path)
    run_example(write_example(section + "\n", tmp_path), model_folder)
    name, metric = EXAMPLES[title]
    result = Result.read(Path("runs") / name)
    assert (result.task, result.metric, result.train_rows) == (name, metric, 4)
    # The tests' tokenizer makes small letters; thresholds of no answer are chosen on the dev split.
    expected = {"names": ["makes small letters of capitals"], "help": ["chosen on the scored split itself"]}
    for note, words in zip(result.notes, expected.get(name, []), strict=True):
        assert words in note
    (answer,) = answers()
    given = answer["prediction"]
    if name == "follows":
        assert (answer["id"], given in ("no", "yes")) == ("x", True)
    elif name == "alike":
        assert isinstance(given, float)
    elif name == "stories":
        assert given in (0, 1, 2)
    elif name == "names":
        assert len(given) == 6
        assert set(given) <= {"O", "B-PER", "I-PER", "B-LOC", "B-ORG", "I-ORG"}
    elif name == "help":
        assert (answer["id"], given in "The girl ran and the boy walked.") == ("7", True)
    else:
        assert set(given) <= {"sport", "politics"}
