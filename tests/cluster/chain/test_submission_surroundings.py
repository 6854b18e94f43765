"""What lies around a chain: the user's shell, other jobs of theirs, other users, records that are damaged."""

import json
import os
from pathlib import Path

import pytest

from tests.cluster.chain.conftest import FINETUNE, RUN, MadeUp

ALL = ["preprocess", "verify", "phase1", "phase2"]


def test_what_the_shell_tells_slurms_commands_is_not_heard(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter of the queue would hide jobs, which would then be submitted twice; an account is the user's choice."""
    for name in ("SQUEUE_PARTITION", "SLURM_TIME_FORMAT", "SBATCH_WAIT", "SBATCH_ARRAY_INX", "PIPELINE", "DONE_FILE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SBATCH_ACCOUNT", "mine")
    assert made_up.submit() == 0
    assert not [call for call in (made_up.folder / "calls").read_text().splitlines() if call.startswith("SQUEUE_")]
    said = (made_up.folder / "environment-1").read_text().splitlines()
    (code,) = (made_up.output / "code").iterdir()
    assert said == [f"CODE_FOLDER={code}", "PIPELINE=preprocessing/pipeline.py", "SBATCH_ACCOUNT=mine"]


def test_a_path_for_the_jobs_does_not_hide_slurm(made_up: MadeUp) -> None:
    made_up.change("[run]", '[slurm]\nvariables = { PATH = "/usr/bin:/bin" }\n[run]')
    assert made_up.submit() == 0
    assert made_up.names() == ALL


def test_another_job_that_has_the_number_of_one_of_the_chain_is_let_alone(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slurm counts from 1 again when its controller has lost its files."""
    made_up.submit()
    (made_up.folder / "jobs").write_text("1|PENDING|None|N/A|N/A|mine\n2|RUNNING|None|N/A|N/A|phase1-another\n")
    capsys.readouterr()
    assert made_up.submit("status") == 0
    assert "running" not in capsys.readouterr().out
    assert made_up.submit("cancel") == 0
    assert "scancel" not in "".join(made_up.calls())
    assert made_up.submit() == 0
    assert made_up.names() == 2 * ALL


def test_a_job_whose_name_has_a_line_break_hides_no_other(made_up: MadeUp) -> None:
    (made_up.folder / "jobs").write_text("1|PENDING|None|N/A|N/A|a\nb|c\n")
    assert made_up.submit() == 0
    assert made_up.submit() == 0
    assert made_up.names() == ALL


@pytest.mark.parametrize("strange", [{"user": "somebody"}, {"cluster": "elsewhere"}])
def test_what_another_user_or_cluster_has_in_its_queue_is_not_guessed(
    made_up: MadeUp, strange: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.submit()
    made_up.finish("preprocess")
    record = made_up.output / "chain.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **strange}))
    (made_up.folder / "jobs").write_text("")
    capsys.readouterr()
    assert made_up.submit("status") == 0
    said = capsys.readouterr().out
    assert "complete" in said
    assert said.count("not complete") == 3
    assert f"{next(iter(strange.values()))}" in said
    assert "ask there" in said


DAMAGES = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "another version": lambda text: json.dumps({**json.loads(text), "format": 1}),
    "a job that is a table": lambda text: text.replace('"job": "2"', '"job": {}'),
    "a round that is a text": lambda text: text.replace('"round": 1', '"round": "one"', 1),
    "no user": lambda text: text.replace('"user"', '"users"'),
    "brackets in brackets": lambda text: "[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("word", ["submit", "status", "cancel"])
def test_a_damaged_record_is_named_and_lost_nothing_is(
    made_up: MadeUp, damage: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.submit()
    record = made_up.output / "chain.json"
    record.write_text(DAMAGES[damage](record.read_text()))
    capsys.readouterr()
    assert made_up.submit(*(() if word == "submit" else (word,))) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("submit: out/chain.json cannot be read (")
    assert "remove it: jobs in the queue are found by their names" in said
    record.unlink()
    assert made_up.submit() == 0
    assert made_up.names() == ALL


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "calls"}


def test_a_dry_run_leaves_nothing_behind(made_up: MadeUp) -> None:
    """Not even the plan of a sweep: the script writes it (`test_submission.py` runs it)."""
    made_up.write(RUN + FINETUNE)
    before = everything(made_up.folder)
    assert made_up.submit("--dry-run") == 0
    assert everything(made_up.folder) == before


def test_what_is_to_be_made_anew_stays_where_it_is_when_it_cannot_be_submitted(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.submit()
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)
    made_up.change("[run]", '[slurm.phase2]\npartition = "nowhere"\n[run]')
    monkeypatch.setenv("REFUSE", "nowhere")
    assert made_up.submit("--redo", "phase1") == 2
    assert "nowhere" in capsys.readouterr().err
    assert (made_up.output / "phase1" / "export" / "config.json").is_file()
    assert not (made_up.output / "replaced").exists()


@pytest.mark.parametrize("word", ["submit", "status"])
def test_a_name_that_the_system_does_not_take_is_one_sentence(
    made_up: MadeUp, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.change('output = "out"', f'output = "{"x" * 300}"')
    assert made_up.submit(*(() if word == "submit" else (word,))) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{os.strerror(36)}; mend that and run the same command again" in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('text = ["raw/*.txt"]', "text = 3", "--text 3: there is no such file"),
        ('recipe = "recipe.toml"', 'recipe = "recipe.toml"\ndeepspeed = 1', "deepspeed = 1 is no table"),
    ],
)
def test_a_value_of_another_type_is_one_sentence(
    made_up: MadeUp, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.write(made_up.file.read_text().replace(old, new, 1))
    assert made_up.submit() == 2
    assert message in capsys.readouterr().err


def test_a_list_that_is_too_long_for_a_command_is_said(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    made_up.change("vocab =", f'language = "de"\ntext = ["raw/*.txt", "{"raw/../" * 20_000}raw/*.txt"]\nvocab =')
    made_up.change('text = ["raw/*.txt"]\n', "")
    assert made_up.submit() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
