"""The zip for GLUE's server, what it would refuse, and the choice of runs."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.reporting.gather import FinishedRun, find_runs
from finetuning.reporting.submission import (
    GLUE_ROWS,
    checked_glue_file,
    constant_file,
    glue_submission,
    one_model,
    one_task,
    write_zip,
)

HEADER = "index\tprediction\n"
# The sizes of GLUE's test sets, typed for this test in the order of its page of tasks.
SIZES = {
    **{"CoLA": 1063, "SST-2": 1821, "MRPC": 1725, "STS-B": 1379, "QQP": 390_965, "MNLI-m": 9796, "MNLI-mm": 9847},
    **{"QNLI": 5463, "RTE": 3000, "WNLI": 146, "AX": 1104},
}
BASELINE: dict[str, Any] = {"learning_rate": 0.0, "batch_size": 0, "epochs": 0.0, "baseline": "bag of words"}
ITS_SPEC = {"learning_rate": 3e-5, "batch_size": 32, "epochs": 3.0}

Answered = Callable[..., FinishedRun]


def rows_of(answer: str, count: int) -> str:
    return HEADER + "".join(f"{number}\t{answer}\n" for number in range(count))


@pytest.fixture
def answered(tmp_path: Path, write_result: Callable[..., Path]) -> Answered:
    """answered(task, file, content, …) → a run with this submission file."""

    def make(task: str, file: str, content: str, name: str = "", **fields: Any) -> FinishedRun:
        folder = write_result(tmp_path / (name or task), task=task, **fields)
        (folder / "submission").mkdir(exist_ok=True)
        (folder / "submission" / file).write_text(content)
        return find_runs([folder])[0]

    return make


def test_the_files_and_rows_that_the_server_wants() -> None:
    assert list(GLUE_ROWS.items()) == [(f"{name}.tsv", rows) for name, rows in SIZES.items()]


@pytest.mark.parametrize("expected", [3, None])
def test_a_right_file_is_given_back(tmp_path: Path, expected: int | None) -> None:
    path = tmp_path / "MNLI-m.tsv"
    content = HEADER + "0\tneutral\n1\tentailment\n2\tcontradiction"
    path.write_text(content)
    assert checked_glue_file(path, load_task("mnli"), expected) == content + "\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1 is not 'index<tab>prediction'"),
        ("id\tlabel\n0\t1\n", "line 1 is not 'index<tab>prediction'"),
        (HEADER + "1\t1\n", "line 2 has index '1', not 0;"),
        (HEADER + "0\t1\n2\t1\n", "line 3 has index '2', not 1;"),
        (HEADER + "0\t1\n1\tyes\n", "line 3: 'yes' is no answer of cola;"),
        (HEADER + "0\t1\n1 1\n", "line 3 has index '1 1', not 1;"),
        (HEADER + "0\t1\t1\n", "line 2: '1\\t1' is no answer of cola;"),
        (HEADER + "0\t1\n", "1 rows, GLUE's test set has 2;"),
        (rows_of("1", 3), "3 rows, GLUE's test set has 2;"),
    ],
)
def test_what_the_server_would_refuse_is_refused_here(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "CoLA.tsv"
    path.write_text(content)
    with pytest.raises(FinetuningError, match=rf"^{re.escape(str(path))}: {re.escape(says)}"):
        checked_glue_file(path, load_task("cola"), 2)


@pytest.mark.parametrize(("name", "answer"), [("WNLI.tsv", "0"), ("AX.tsv", "neutral"), ("STS-B.tsv", "2.5")])
def test_a_file_of_one_answer(name: str, answer: str) -> None:
    assert constant_file(name, answer) == rows_of(answer, SIZES[name.removesuffix(".tsv")])


@pytest.mark.parametrize(
    ("constant", "allowed"),
    [
        ("RTE=0", "entailment or not_entailment"),
        ("STS-B=high", "a number from 0 to 5"),
        ("STS-B=7", "a number from 0 to 5"),
        ("AX=1", "entailment or neutral or contradiction"),
    ],
)
def test_a_constant_that_the_server_would_refuse(constant: str, allowed: str) -> None:
    name, _, answer = constant.partition("=")
    with pytest.raises(FinetuningError, match=rf"^--constant {constant}: the answer must be {allowed}$"):
        constant_file(f"{name}.tsv", answer)


def test_the_files_are_those_of_the_best_runs_in_the_server_s_order(answered: Answered) -> None:
    runs = [
        answered("wnli", "WNLI.tsv", rows_of("1", 2), score=0.6),
        answered("cola", "CoLA.tsv", rows_of("0", 2), "worse", seed=2, score=0.5),
        answered("cola", "CoLA.tsv", rows_of("1", 2), "better", seed=3, score=0.7),
        answered("mnli", "MNLI-mm.tsv", rows_of("neutral", 2)),
    ]
    constants = {"RTE.tsv": "entailment", "CoLA": "0"}  # a file that a run fills stays
    files = glue_submission(runs, constants, any_size=True, allow_missing=True)
    assert list(files) == ["CoLA.tsv", "MNLI-mm.tsv", "RTE.tsv", "WNLI.tsv"]
    assert [files[f"{name}.tsv"] for name in ("CoLA", "MNLI-mm", "WNLI")] == [
        *(rows_of("1", 2), rows_of("neutral", 2), rows_of("1", 2))
    ]
    assert files["RTE.tsv"] == rows_of("entailment", 3000)


def test_sizes_are_the_benchmark_s_unless_any_is_right(answered: Answered) -> None:
    runs = [answered("wnli", "WNLI.tsv", rows_of("1", 146))]
    assert glue_submission(runs, {}, allow_missing=True) == {"WNLI.tsv": rows_of("1", 146)}
    runs = [answered("wnli", "WNLI.tsv", rows_of("1", 145))]
    assert glue_submission(runs, {}, any_size=True, allow_missing=True) == {"WNLI.tsv": rows_of("1", 145)}
    with pytest.raises(FinetuningError, match="145 rows, GLUE's test set has 146"):
        glue_submission(runs, {}, allow_missing=True)


def test_files_that_no_run_fills_are_named(answered: Answered) -> None:
    rest = dict.fromkeys(("SST-2", "MRPC", "STS-B", "WNLI"), "0")
    rest |= dict.fromkeys(("MNLI-m", "MNLI-mm", "QNLI", "RTE"), "entailment")
    # The second has a file of another name in its folder.
    runs = [answered("qqp", "QQP.tsv", rows_of("1", 2)), answered("cola", "other.tsv", "")]
    with pytest.raises(FinetuningError, match=r"^no test predictions for CoLA\.tsv, AX\.tsv: run these tasks"):
        glue_submission(runs, rest, any_size=True)
    assert len(glue_submission(runs, rest, any_size=True, allow_missing=True)) == 9
    assert len(glue_submission(runs, rest | {"CoLA": "1", "AX": "neutral"}, any_size=True)) == 11
    with pytest.raises(FinetuningError, match=r"^--constant XYZ: GLUE has no such file; it has CoLA\.tsv, SST-2\.tsv,"):
        glue_submission(runs, {"XYZ": "0"}, any_size=True)


def test_a_task_of_another_benchmark_has_no_file(answered: Answered, tmp_path: Path) -> None:
    """Neither one whose splits are for no server nor a user's own that names a file."""
    (tmp_path / "own.toml").write_text(
        'kind = "classification"\nlabels = ["0", "1"]\nmetric = "accuracy"\ntest = ["test"]\n'
        'columns = { text_a = "text", label = "label" }\n[splits]\ntrain = "d.csv"\ndev = "d.csv"\n'
        'test = { file = "d.csv", labelled = false, submission = "Own.tsv" }\n'
    )
    own = answered("own", "Own.tsv", rows_of("1", 2), spec={"task": str(tmp_path / "own.toml")})
    swag = answered("swag", "None", rows_of("1", 2))
    assert glue_submission([own, swag], {}, allow_missing=True) == {}


def test_a_zip_holds_the_files_and_nothing_of_when_it_was_made(tmp_path: Path) -> None:
    files = {"CoLA.tsv": rows_of("1", 99), "AX.tsv": "ä"}
    assert write_zip(tmp_path / "g.zip", files) == tmp_path / "g.zip"
    with zipfile.ZipFile(tmp_path / "g.zip") as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files
        # 1980 is the earliest year that a zip can say.
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    assert [path.name for path in tmp_path.iterdir()] == ["g.zip"]


@pytest.fixture
def models(tmp_path: Path, write_result: Callable[..., Path]) -> Callable[..., list[FinishedRun]]:
    """models(label, …) → a run of each; "words" is the baseline."""

    def write(*labels: str) -> list[FinishedRun]:
        for seed, label in enumerate(labels):
            fields = {**BASELINE, "spec": ITS_SPEC} if label == "words" else {"spec": {"model": f"m/{label}/export"}}
            write_result(tmp_path / str(seed), seed=seed, **fields)
        return find_runs([tmp_path])

    return write


@pytest.mark.parametrize(
    ("labels", "asked", "seeds"),
    [
        ("a a", None, [0, 1]),
        ("a words a", None, [0, 2]),  # beside a model a baseline is not meant
        ("words words", None, [0, 1]),
        ("b a b", "b", [0, 2]),
        ("a words", "bag of words", [1]),
    ],
)
def test_one_model_is_chosen(models, labels: str, asked: str | None, seeds: list[int]) -> None:
    assert [run.result.seed for run in one_model(models(*labels.split()), asked)] == seeds


def test_no_model_is_chosen_for_anybody(models: Callable[..., list[FinishedRun]]) -> None:
    runs = models("b", "a", "words", "b")
    with pytest.raises(FinetuningError, match=r"^runs of several models \(a, b\): choose one with --model$"):
        one_model(runs, None)
    with pytest.raises(FinetuningError, match=r"^--model c: there are no runs of it, only of a, b, bag of words$"):
        one_model(runs, "c")


def test_one_task_is_chosen(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    for seed, task in enumerate(("squad2", "squad1", "cola", "squad2")):
        write_result(tmp_path / str(seed), task=task, seed=seed)
    runs, both = find_runs([tmp_path]), ["squad1", "squad2"]
    folders = [Path("x"), Path("y")]
    assert [run.result.seed for run in one_task(runs, ["squad2"], folders)] == [0, 3]
    with pytest.raises(FinetuningError, match=r"^runs of squad1 and squad2: choose one with --task below x, y$"):
        one_task(runs, both, folders)
    with pytest.raises(FinetuningError, match=r"^no run of squad1 or squad2 below x, y$"):
        one_task(runs[2:3], both, folders)
