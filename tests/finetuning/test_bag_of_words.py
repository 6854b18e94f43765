"""The command: every kind of task by the examples of the pages, real sets, and what it leaves for a report."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning import bag_of_words, report, submission
from finetuning.kinds.registry import KINDS
from finetuning.run.result import Result
from tests.finetuning.test_main_example import EXAMPLES, write_example

SETS = Path(__file__).resolve().parents[2] / "finetuning" / "recipes" / "sets"


def run(*arguments: object) -> int:
    return bag_of_words.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_kind_of_the_page_of_own_tasks(title: str, repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "own-tasks.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    write_example(section, tmp_path)
    name, metric = EXAMPLES[title]
    assert run("--task", tmp_path / name / f"{name}.toml", "--output", tmp_path / "runs") == 0
    result = Result.read(tmp_path / "runs" / "bag-of-words" / name / "seed-1")
    assert (result.task, result.metric, result.baseline) == (name, metric, "bag of words")
    assert (result.learning_rate, result.batch_size, result.epochs) == (0.0, 0, 0.0)
    lines = (tmp_path / "runs" / "bag-of-words" / name / "seed-1" / "predictions-dev.jsonl").read_text().splitlines()
    assert len(lines) == result.dev_rows


def test_the_page_has_an_example_of_every_kind() -> None:
    assert len(EXAMPLES) == len(KINDS)


def test_two_seeds_a_mean_and_what_is_there_is_kept(
    benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--task", "sst2", "--data", benchmark_data, "--output", tmp_path, "--seeds")
    assert run(*arguments, "1,2") == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in out[:2]] == ["sst2, seed 1", "sst2, seed 2"]
    assert out[2].startswith("mean 1.0000 ± 0.0000 over 2 seeds")
    folder = tmp_path / "bag-of-words" / "sst2"
    assert (folder / "seed-1" / "submission" / "SST-2.tsv").is_file()
    before = (folder / "seed-1" / "result.json").stat().st_mtime_ns
    assert run(*arguments, "1,2,3") == 0
    assert (folder / "seed-1" / "result.json").stat().st_mtime_ns == before
    assert (folder / "seed-3" / "result.json").is_file()


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_quiet_says_nothing_but_the_result(
    quiet: tuple[str, ...], benchmark_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run("--task", "sst2", "--data", benchmark_data, "--output", tmp_path, *quiet) == 0
    assert (caplog.messages == []) == bool(quiet)


def test_the_seed_gives_the_same_answers_again(benchmark_data: Path, tmp_path: Path) -> None:
    results = []
    for name in ("a", "b"):
        assert run("--task", "mnli", "--data", benchmark_data, "--output", tmp_path / name) == 0
        folder = tmp_path / name / "bag-of-words" / "mnli" / "seed-1"
        results.append((Result.read(folder).train_loss, (folder / "predictions-dev_matched.jsonl").read_bytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "sst2", "--seeds", "1,1"), "--seeds 1,1: one stands there twice; name each once"),
        (("--task", "sst2", "--seeds", "1,x"), "--seeds 1,x: 'x' is no whole number of 0 or more"),
        (("--task", "sst2", "--limit-train", "0"), "--limit-train 0: must be at least 1"),
        (("--task", "sst3"), "task 'sst3' is unknown; did you mean sst2?"),
        (("--task", "ax"), "ax has no training split, so there is nothing to learn words from"),
    ],
)
def test_wrong_options_say_what_is_wrong(
    arguments: tuple[str, ...],
    message: str,
    benchmark_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*arguments, "--data", benchmark_data, "--output", tmp_path / "runs") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_run_of_other_options_or_other_data_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = tmp_path / "task.toml"
    task.write_text(
        'kind = "classification"\nlabels = ["n", "y"]\nmetric = "accuracy"\n'
        'columns = {text_a = "text", label = "label"}\nsplits = {train = "train.csv", dev = "dev.csv"}\n'
    )
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "good,y\nbad,n\n" * 3)
    arguments = ("--task", task, "--output", tmp_path / "runs")
    assert run(*arguments) == 0
    assert run(*arguments, "--limit-train", "2") == 2
    assert "holds a run with other options" in capsys.readouterr().err
    (tmp_path / "dev.csv").write_text("text,label\nbad,n\ngood,y\nbad,n\n")
    assert run(*arguments) == 2
    assert "the dev split has changed since that run; delete that folder" in capsys.readouterr().err
    (tmp_path / "dev.csv").write_text("text,label\n" + "good,y\nbad,n\n" * 3)
    task.write_text(task.read_text().replace('"accuracy"', '"macro_f1"'))
    assert run(*arguments) == 2
    assert "the task has changed since that run; delete that folder" in capsys.readouterr().err


def test_it_stands_beside_the_models_of_a_sweep(
    benchmark_data: Path,
    write_result: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "sweep"
    # The grid's own values: they must not pair it with what has neither rate nor epochs.
    model = [
        write_result(output / "small" / f"seed{seed}", task="sst2", score=0.75, seed=seed, dev_rows=6)
        for seed in (1, 2)
    ]
    assert run("--task", "sst2", "--data", benchmark_data, "--output", output, "--seeds", "1,2") == 0
    for folder in model:
        shutil.copy(output / "bag-of-words" / "sst2" / "seed-1" / "predictions-dev.jsonl", folder)
    assert report.main([str(output)]) == 0
    content = json.loads((output / "report.json").read_text())
    assert content["models"] == ["a", "bag of words"]
    assert content["comparisons"] == []
    _, words = content["tasks"][0]["models"]
    assert words["label"] == "bag of words"
    assert words["best_setting"]["setting"] == "no encoder"
    assert words["best_setting"]["seeds"] == [1, 2]
    assert words["best_setting"]["summary"]["mean"] == 1.0
    for name in ("report.md", "report.html"):
        assert "bag of words" in (output / name).read_text()
    assert (
        "| sst2 | accuracy | bag of words | no encoder | 1 | 2 | 0 | 0 | – | 100.0 ± 0.0"
        in (output / "report.md").read_text()
    )
    capsys.readouterr()
    assert report.main([str(output), "--baseline", "bag of words"]) == 2
    assert "--baseline bag of words: it has no settings, by which runs are paired" in capsys.readouterr().err
    chosen = submission.main(["glue", str(output), "--output", str(tmp_path / "out")])
    assert "runs of several models" not in capsys.readouterr().err
    assert chosen == 2  # the other tasks of GLUE are missing


@pytest.mark.parametrize(
    ("task", "folder", "least"),
    [("movie-reviews", "sentences", 0.70), ("questions", "sentences", 0.75)],
    ids=["movie-reviews", "questions"],
)
def test_real_sets_are_learnt(task: str, folder: str, least: float, shared_data: Path, tmp_path: Path) -> None:
    assert run("--task", SETS / f"{task}.toml", "--data", shared_data / folder, "--output", tmp_path) == 0
    assert Result.read(tmp_path / "bag-of-words" / task / "seed-1").score > least
