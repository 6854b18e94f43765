"""What would be done is printed as a script, and nothing is done. That the script does it: `test_submission.py`."""

import os

import pytest

from tests.cluster.chain.conftest import MadeUp

ALL = ["preprocess", "verify", "phase1", "phase2"]


def complete(made_up: MadeUp) -> None:
    made_up.submit()
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)


def test_where_there_is_no_slurm_it_says_so(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert made_up.submit("--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# Slurm is not on this machine: what is in its queue is not known here"
    assert [line.partition("=$(")[0] for line in lines if "sbatch --parsable" in line] == ALL


def test_of_a_complete_chain_nothing_is_left(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    complete(made_up)
    capsys.readouterr()
    assert made_up.submit("--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [f"# {stage}: complete" for stage in ALL]


def test_jobs_in_the_queue_are_named(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    made_up.submit()
    made_up.set_state(4, "CANCELLED")
    capsys.readouterr()
    assert made_up.submit("--dry-run") == 0
    said = capsys.readouterr().out
    assert "# phase1: active, job 3" in said
    assert "--dependency=afterok:1:2:3 " in said


def test_what_would_be_set_aside_stays(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    complete(made_up)
    capsys.readouterr()
    assert made_up.submit("--dry-run", "--redo", "phase1") == 0
    said = capsys.readouterr().out
    assert "# what phase1, phase2 left would be set aside first" in said
    assert "phase1=$(" in said
    assert "verify=$(" not in said
    assert (made_up.output / "phase1" / "export" / "config.json").is_file()
    assert not (made_up.output / "replaced").exists()


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (
            ("--redo", "phase3"),
            "--redo phase3: this chain has no such stage; it has preprocess, verify, phase1, phase2",
        ),
        (("--keep", "finetune"), "--keep finetune: this chain has no such stage"),
        (("--keep", "phase2"), "--keep phase2: this stage is not complete, so there is nothing to keep"),
        (("--keep", "phase1", "--redo", "phase1"), "--redo phase1 and --keep phase1: give one of them"),
        (("--redo", "verify"), "--redo: phase2 is in the queue (job 4); cancel the chain first"),
    ],
)
def test_what_cannot_be_wished(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], wishes: tuple[str, ...], message: str
) -> None:
    made_up.submit()
    for number, stage in enumerate(ALL[:3], 1):
        made_up.finish(stage, number)
    assert made_up.submit(*words, *wishes) == 2
    assert message in capsys.readouterr().err
    assert made_up.names() == ALL
    assert not (made_up.output / "replaced").exists()
