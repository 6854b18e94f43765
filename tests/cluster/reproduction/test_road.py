"""The reproduction's stages, and what is refused."""

from pathlib import Path

import pytest

from cluster.reproduction.road import SWEEP, main, stages
from cluster.stages.chain import Stage


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("glue/CoLA/train.tsv", "sentences/questions/train.tsv", "squad/train-v1.1.json"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_text("")
    return tmp_path / "data"


@pytest.fixture
def books(tmp_path: Path) -> str:
    (tmp_path / "book.txt").write_text("text")
    return str(tmp_path / "*.txt")


def names(chain: list[Stage]) -> list[str]:
    return [stage.name for stage in chain]


def test_without_data_it_ends_with_held_out_figures(tmp_path: Path, books: str) -> None:
    chain = stages(tmp_path / "run", None, books, None)
    assert names(chain) == ["vocabulary", "shards", "pretraining", "evaluation-ours"]
    assert all(stage.inputs == (tmp_path / "book.txt",) for stage in chain)


def test_tasks_that_are_there_are_tried_with_every_model(tmp_path: Path, books: str, data: Path) -> None:
    chain = stages(tmp_path / "run", None, books, data, peer=True)
    assert names(chain)[3:] == [
        *("peer", "evaluation-ours", "evaluation-transformers", "finetuning"),
        *("bag-cola", "bag-questions", "bag-squad1"),
    ]
    (sweep,) = (stage.command for stage in chain if stage.name == "finetuning")
    models = sweep[sweep.index("--models") + 1]
    assert [one.partition("=")[0] for one in models.split(",")] == ["ours", "transformers", "random"]
    assert f"--task.questions.data={data / 'sentences'}" in sweep
    assert f"--options.tokenizer={tmp_path / 'run' / 'pretraining' / 'export'}" in sweep


def test_every_output_lies_below_the_folder(tmp_path: Path, books: str, data: Path) -> None:
    for stage in stages(tmp_path / "run", None, books, data, peer=True):
        assert all(output.is_relative_to(tmp_path / "run") for output in stage.outputs)


def test_the_sweep_that_it_gives_is_one(tmp_path: Path, books: str, data: Path) -> None:
    """Its plan can be made: every key is known, every task is found."""
    from finetuning.sweep import parse_sweep

    (sweep,) = (stage.command for stage in stages(tmp_path / "run", None, books, data) if stage.name == "finetuning")
    config, _ = parse_sweep(sweep[3:])
    assert len(config.tasks) == 3
    assert config.seeds == (1, 2, 3, 4, 5)
    assert SWEEP.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no text to learn from"),
        (["--books", "{tmp}/none/*.txt"], "matches no file"),
        (
            ["--books", "{tmp}/*.txt", "--data", "{tmp}"],
            "holds none of the small tasks; give a folder",
        ),
    ],
)
def test_what_is_refused(
    arguments: list[str], message: str, tmp_path: Path, books: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(tmp=tmp_path) for word in arguments]
    assert main(["--output", str(tmp_path / "run"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("reproduction: ")
    assert message in line
