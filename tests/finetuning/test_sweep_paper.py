"""The commands of `docs/finetuning.md` for the tasks of the paper: their settings, and a run of each on made data."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetuning.kinds.loading import load_task
from finetuning.reporting.published import PUBLISHED
from finetuning.run.finetune import run
from finetuning.sweep import parse_sweep
from finetuning.sweeps.config import PAPER_TASKS
from finetuning.sweeps.grid import PlannedRun, plan_runs

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "finetuning.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## The tasks of the paper") : PAGE.index("### No answer in SQuAD 2.0")]
RECIPES = REPOSITORY / "finetuning" / "recipes" / "paper"

GLUE = ((2e-5, 3e-5, 4e-5, 5e-5), (32,), (3,), 128)
SETTINGS = {
    **dict.fromkeys(("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"), GLUE),
    "squad1": ((5e-5,), (32,), (3,), 384),
    "squad2": ((5e-5,), (48,), (2,), 384),
    "swag": ((2e-5,), (16,), (3,), 128),
    "conll2003": ((2e-5, 3e-5, 5e-5), (16, 32), (2, 3, 4), 512),
}
"""Rates, batches, epochs and length by task (Devlin et al. 2019, sections 4.1 to 5.3 and appendix A.3)."""


def commands() -> Iterator[tuple[str, list[str], str]]:
    """Task, words of its sweep, and its rows of the table."""
    rows = [line for line in SECTION.splitlines() if line.startswith("| ")]
    for number, line in enumerate(rows):
        if not (found := re.search(r"\| `(\w+\.toml)( --tasks \w+)?` \|", line)):
            continue
        words = ["--config", str(RECIPES / found[1]), *(found[2] or "").split()]
        following = rows[number + 1] if number + 1 < len(rows) and rows[number + 1].startswith("| | |") else ""
        words += ["--models", "m", "--data", "DATA", "--output", "OUT"]
        (task,) = parse_sweep(words)[0].tasks
        yield task, words, line + following


TABLE = list(commands())


def planned(words: list[str]) -> list[PlannedRun]:
    return plan_runs(parse_sweep(words)[0])


def test_there_is_a_command_for_each_task_of_the_paper() -> None:
    assert [task for task, *_ in TABLE] == list(SETTINGS)
    assert {*SETTINGS} == {*PAPER_TASKS, "squad1", "squad2", "swag", "conll2003"}


@pytest.mark.parametrize(("task", "words", "line"), TABLE, ids=[task for task, *_ in TABLE])
def test_its_settings_are_those_of_the_paper(task: str, words: list[str], line: str) -> None:
    runs = planned(words)
    rates, batches, epochs, length = SETTINGS[task]
    assert tuple(sorted({planned.learning_rate for planned in runs})) == rates
    assert tuple(sorted({planned.batch_size for planned in runs})) == batches
    assert tuple(sorted({planned.epochs for planned in runs})) == epochs
    assert {planned.seed for planned in runs} == {1, 2, 3, 4, 5}
    specs = [planned.spec(Path("OUT")) for planned in runs]
    assert {spec.sequence_length for spec in specs} == {length}
    assert {spec.context for spec in specs} == {"document" if task == "conll2003" else None}
    loaded = load_task(task)
    if loaded.kind == "span":
        assert (loaded.document_stride, loaded.max_query_length, loaded.max_answer_length) == (128, 64, 30)
    for figure in PUBLISHED[task]:
        assert f"{figure.percent}" in line, "the page shows every figure that the report shows"
    for split in (loaded.splits[name] for name in ("train", *loaded.dev)):
        assert task in PAPER_TASKS or split.file in line, "the page names the files"


@pytest.mark.parametrize(("task", "words", "line"), TABLE, ids=[task for task, *_ in TABLE])
def test_its_first_run_on_made_data(
    task: str, words: list[str], line: str, model_folder: Path, benchmark_data: Path, tmp_path: Path
) -> None:
    given = {"m": str(model_folder), "DATA": str(benchmark_data), "OUT": str(tmp_path)}
    spec = planned([given.get(word, word) for word in words])[0].spec(tmp_path)
    if task == "conll2003":  # the tests' model has fewer positions
        spec = spec.model_copy(update={"sequence_length": 16})
    result = run(spec)
    assert (result.task, result.dev_rows > 0) == (task, True)
    compared = {figure.ours for figure in PUBLISHED[task]}
    assert compared <= {*result.metrics}, "what stands beside the paper's figures is measured"
    for name in load_task(task).test:
        answers = (spec.output / f"predictions-{name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert all(json.loads(answer)["label"] is None for answer in answers), "test sets have no labels"
    if task == "mnli":
        files = {path.name for path in (spec.output / "submission").iterdir()}
        assert files == {"MNLI-m.tsv", "MNLI-mm.tsv", "AX.tsv"}
    if task == "conll2003":
        assert result.truncation["train"].rows_in_parts > 0
        assert result.train_sequences != result.train_rows


def test_every_sweep_of_a_paper_says_its_command_and_can_be_planned() -> None:
    for path in sorted(RECIPES.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        assert f"finetuning.sweep --config finetuning/recipes/paper/{path.name} " in text
        runs = planned(["--config", str(path), "--models", "m", "--output", "OUT"])
        assert all(planned.spec(Path("OUT")).model == "m" for planned in runs)
