"""A chain is submitted once: again, by two at a time, after a failure, after a change, after a crash."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.chain.conftest import FINETUNE, RUN, MadeUp

ALL = ["preprocess", "verify", "phase1", "phase2"]


def dependencies(made_up: MadeUp) -> list[str]:
    words = [[word for word in call.split() if word.startswith("--dependency=")] for call in made_up.calls()]
    return [found[0].removeprefix("--dependency=") if found else "" for found in words]


def test_each_stage_waits_for_what_it_needs(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    assert made_up.submit() == 0
    assert made_up.names() == ALL
    assert dependencies(made_up) == ["", "afterok:1", "afterok:1:2", "afterok:1:2:3"]
    assert all("--kill-on-invalid-dep=yes" in call and "--export=ALL" in call for call in made_up.calls())
    assert capsys.readouterr().out.splitlines()[1] == "verify: job 2, afterok:1"
    phase2 = made_up.calls()[3]
    assert "--data.shards=out/shards" in phase2
    assert "--init.from=out/phase1/export" in phase2
    assert "--data.sequence-length=64" in phase2


def test_the_code_is_copied_and_named(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")  # of a job in which the command is called
    made_up.submit()
    (code,) = (made_up.output / "code").iterdir()
    said = (made_up.folder / "environment-2").read_text()
    assert f"CODE_FOLDER={code}\n" in said
    assert "DONE_FILE=out/done/verify" in said
    assert "SLURM_RESTART_COUNT" not in said
    assert f" {code}/cluster/slurm/pretrain.sbatch " in made_up.calls()[2]


def test_again_while_it_waits_and_when_it_is_complete_nothing_is_submitted(made_up: MadeUp) -> None:
    made_up.submit()
    first = made_up.calls()
    assert made_up.submit() == 0
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)
        assert made_up.submit() == 0
    (made_up.folder / "jobs").write_text("")  # Slurm forgets
    assert made_up.submit() == 0
    assert made_up.calls() == first


def test_a_failed_stage_and_those_behind_it_are_submitted_again(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.finish("preprocess", 1)
    made_up.finish("verify", 2)
    made_up.set_state(3, "FAILED")
    made_up.set_state(4, "PENDING", "DependencyNeverSatisfied")  # Slurm has not yet ended it
    made_up.submit()
    assert made_up.names() == [*ALL, "phase1", "phase2"]
    assert dependencies(made_up)[4:] == ["", "", "afterok:5"]
    assert made_up.calls()[5] == "scancel 4"


def test_a_stage_whose_predecessor_comes_anew_does_not_wait_for_the_old_one(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.finish("preprocess", 1)
    made_up.finish("verify", 2)
    made_up.set_state(3, "CANCELLED")  # and phase 2 still waits, of another reason
    made_up.submit()
    assert made_up.calls()[4:][1] == "scancel 4"
    assert made_up.names()[4:] == ["phase1", "phase2"]


def test_a_stage_that_was_cancelled_alone_waits_for_the_jobs_that_are_there(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.set_state(4, "CANCELLED")
    made_up.submit()
    assert made_up.names()[4:] == ["phase2"]
    assert dependencies(made_up)[4] == "afterok:1:2:3"


def test_what_nothing_needs_any_more_is_not_made_again(made_up: MadeUp) -> None:
    """Shards are large, and may go when pretraining is over."""
    made_up.submit()
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)
    (made_up.output / "shards" / "manifest.json").unlink()
    assert made_up.submit() == 0
    assert made_up.names() == ALL
    (made_up.output / "phase2" / "state.json").unlink()
    made_up.submit()
    assert made_up.names()[4:] == ["preprocess", "verify", "phase2"]
    assert not (made_up.output / "done" / "verify").exists(), "it is of the shards that are gone"


def test_a_changed_stage_is_refused_kept_or_made_anew(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    made_up.submit()
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)
    made_up.change("data.sequence_length = 32", "data.sequence_length = 32\ntraining.steps = 40")
    capsys.readouterr()
    assert made_up.submit() == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "submit: [phase1] was changed since out/phase1 was made; undo the change, or say --keep phase1"
    )
    assert made_up.names() == ALL
    assert made_up.submit("--redo", "phase1") == 0
    assert made_up.names()[4:] == ["phase1", "phase2"]
    (replaced,) = (made_up.output / "replaced").iterdir()
    assert sorted(path.name for path in replaced.iterdir()) == ["phase1", "phase2"]
    assert (replaced / "phase1" / "export" / "config.json").is_file()
    assert (made_up.output / "shards" / "manifest.json").is_file()


def test_a_changed_stage_that_is_kept_is_not_asked_about_again(made_up: MadeUp) -> None:
    made_up.submit()
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)
    made_up.change("data.sequence_length = 32", "data.sequence_length = 32\noutput.log_every = 1")
    assert made_up.submit() == 2
    assert made_up.submit("--keep", "phase1") == 0
    assert made_up.submit() == 0
    assert made_up.names() == ALL


def test_a_failed_stage_may_be_changed(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.finish("preprocess", 1)
    made_up.finish("verify", 2)
    made_up.set_state(3, "FAILED")
    made_up.set_state(4, "CANCELLED")
    made_up.change(
        'recipe = "recipe.toml"\ndata.sequence_length = 32',
        'recipe = "recipe.toml"\ndata.sequence_length = 32\ntraining.micro_batch_size = 2',
    )
    made_up.submit()
    assert "--training.micro-batch-size=2" in made_up.calls()[4]


def test_a_stage_in_the_queue_may_not_be_changed(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    made_up.submit()
    made_up.change("data.sequence_length = 64", "data.sequence_length = 64\ntraining.seed = 2")
    assert made_up.submit() == 2
    assert (
        "[phase2] was changed, and its job 4 is still in the queue: cancel the chain first" in capsys.readouterr().err
    )
    assert main_again(made_up)


def main_again(made_up: MadeUp) -> bool:
    """After a cancel it may."""
    assert made_up.submit("cancel") == 0
    assert made_up.calls()[-1] == "scancel 4 3 2 1"
    return made_up.submit() == 0 and made_up.names()[4:] == ALL


def test_a_stage_in_the_queue_may_not_vanish_from_the_file(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    made_up.submit()
    made_up.write(RUN.partition("[phase2]")[0])
    assert made_up.submit() == 2
    assert "[phase2] is no longer in the file, and its job 4 is still in the queue" in capsys.readouterr().err
    assert made_up.submit("cancel") == 0
    assert made_up.calls()[-1] == "scancel 4 3 2 1"
    assert made_up.submit() == 0
    assert made_up.names()[4:] == ALL[:3]


def test_a_sweep_that_grows_while_it_runs_says_when_its_new_runs_come(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.write(RUN + FINETUNE)
    made_up.submit()
    made_up.change("seeds = [1, 2]", "seeds = [1, 2, 3]")
    capsys.readouterr()
    assert made_up.submit() == 0
    assert "finetune was changed while its jobs run: submit again when they have ended" in capsys.readouterr().out
    assert made_up.names() == [*ALL, "finetune", "report"]


def test_cancel_ends_the_jobs_of_this_chain_alone(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    (made_up.folder / "jobs").write_text("1|RUNNING|None|N/A|N/A|phase1-of-another|chain\n")
    made_up.submit()
    made_up.finish("preprocess", 2)
    assert made_up.submit("cancel") == 0
    assert made_up.calls()[-1] == "scancel 5 4 3"
    assert "job 3 cancelled" in capsys.readouterr().out
    assert made_up.submit("cancel") == 0
    assert "no job of this chain waits or runs" in capsys.readouterr().out


def test_two_at_a_time_submit_once(made_up: MadeUp) -> None:
    command = [sys.executable, "-m", "cluster.submit", str(made_up.file)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert made_up.names() == ALL


@pytest.mark.parametrize("lost", ["number", "record"])
def test_a_job_whose_number_was_never_written_down_is_found_by_its_name(made_up: MadeUp, lost: str) -> None:
    """As after a crash between the submission and the writing."""
    made_up.submit()
    record = made_up.output / "chain.json"
    if lost == "record":
        record.unlink()
    else:
        content = json.loads(record.read_text())
        content["submissions"][2]["job"] = None
        record.write_text(json.dumps(content))
    assert made_up.submit() == 0
    assert made_up.names() == ALL
    jobs = [one["job"] for one in json.loads(record.read_text())["submissions"]]
    assert sorted(jobs) == ["1", "2", "3", "4"]


def test_a_submission_that_sbatch_never_took_is_made_again(made_up: MadeUp) -> None:
    made_up.submit()
    record = made_up.output / "chain.json"
    content = json.loads(record.read_text())
    content["submissions"][3]["job"] = None
    record.write_text(json.dumps(content))
    lines = (made_up.folder / "jobs").read_text().splitlines(keepends=True)
    (made_up.folder / "jobs").write_text("".join(lines[:3]))
    made_up.submit()
    assert made_up.names()[4:] == ["phase2"]


def test_what_fails_in_the_middle_goes_on_there(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRASH", "job-name=phase1")
    assert made_up.submit() == 2
    said = capsys.readouterr().err
    assert (
        "phase1 was not submitted: sbatch failed with exit code 1: sbatch: error: Unable to contact controller" in said
    )
    monkeypatch.delenv("CRASH")
    assert made_up.submit() == 0
    assert made_up.names() == ["preprocess", "verify", "phase1", "phase1", "phase2"]


def test_of_a_sweep_all_arrays_are_submitted_or_none(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.write(RUN + FINETUNE + "array_size = 1\n")
    monkeypatch.setenv("CRASH", "job-name=finetune.1")
    assert made_up.submit() == 2
    assert "finetune was not submitted" in capsys.readouterr().err
    assert made_up.names() == [*ALL, "finetune", "finetune.1"]
    assert made_up.calls()[-1] == "scancel 5"
    monkeypatch.delenv("CRASH")
    assert made_up.submit() == 0
    assert made_up.names()[6:] == ["finetune", "finetune.1", "report"]
    assert dependencies(made_up)[-3:] == ["afterok:4", "afterok:4,afterany:6", "afterok:4,afterany:6:7"]


def test_nothing_is_submitted_when_slurm_would_refuse_one_job(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.change("[run]", '[slurm.phase2]\npartition = "nowhere"\n[run]')
    monkeypatch.setenv("REFUSE", "nowhere")
    assert made_up.submit() == 2
    assert "[slurm] for phase2: sbatch failed" in capsys.readouterr().err
    assert made_up.calls() == []


def test_a_queue_that_does_not_answer_is_not_an_empty_one(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.submit()
    monkeypatch.setenv("DEAF", "1")
    assert made_up.submit() == 2
    assert "squeue failed with exit code 1: squeue: error: Socket timed out" in capsys.readouterr().err
    assert made_up.names() == ALL


def test_the_options_of_a_stage_go_before_those_of_all(made_up: MadeUp) -> None:
    slurm = (
        '[slurm]\nnodes = 1\naccount = "a b"\nvariables = { MINE = "1" }\n[slurm.phase1]\nnodes = 8\nexclusive = true\n'
    )
    made_up.change("[run]", f'{slurm}[slurm.phase2]\nvariables = {{ MINE = "2" }}\n[run]')
    made_up.submit()
    assert "--nodes=8 --account=a b --exclusive" in made_up.calls()[2]
    assert "--nodes=1 --account=a b" in made_up.calls()[3]
    assert "MINE=1" in (made_up.folder / "environment-3").read_text()
    assert "MINE=2" in (made_up.folder / "environment-4").read_text()


def test_another_user_or_folder_is_refused(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their jobs are not in this user's queue, and relative paths mean other places there."""
    made_up.change('output = "out"', f'output = "{made_up.output}"')
    made_up.submit()
    record = made_up.output / "chain.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "user": "somebody"}))
    assert made_up.submit() == 2
    assert "this chain was submitted from the user somebody" in capsys.readouterr().err
    record.write_text(json.dumps({**content, "folder": "/elsewhere"}))
    assert made_up.submit() == 2
    assert "from the folder /elsewhere" in capsys.readouterr().err


def test_a_sweep_is_cut_by_its_own_command_and_the_report_waits_for_all_of_it(made_up: MadeUp) -> None:
    made_up.write(RUN + FINETUNE)
    assert made_up.submit() == 0
    assert made_up.names() == [*ALL, "finetune", "report"]
    sweep, report = made_up.calls()[4:]
    assert "--array=0-1%8" in sweep
    assert "--dependency=afterok:4" in sweep
    assert "finetune.sbatch --plan out/finetune/plans/" in sweep
    assert "--dependency=afterok:4,afterany:5" in report
    assert report.endswith("command.sbatch python -m finetuning.report out/finetune")


def test_runs_that_are_missing_come_again_with_a_new_report(made_up: MadeUp) -> None:
    made_up.write(RUN + FINETUNE)
    made_up.submit()
    for number, stage in enumerate(ALL, 1):
        made_up.finish(stage, number)
    made_up.finish("report", 6)
    made_up.set_state(5, "COMPLETED")
    made_up.submit()
    assert made_up.names()[6:] == ["finetune", "report"]
    assert not (made_up.output / "done" / "report").exists()
    assert dependencies(made_up)[6:] == ["", "afterany:7"]


def test_the_script_of_a_dry_run_does_what_submitting_does(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made_up.change('text = ["raw/*.txt"]', 'text = ["raw/it\'s $HOME *.txt"]')
    (made_up.folder / "raw" / "it's $HOME one.txt").write_text("Some text.\n")
    made_up.write(made_up.file.read_text() + FINETUNE)
    assert made_up.submit("--dry-run") == 0
    script = capsys.readouterr().out
    assert made_up.calls() == []
    assert not (made_up.output / "chain.json").exists()
    assert made_up.submit() == 0
    submitted = made_up.calls()
    (made_up.folder / "calls").unlink()
    (made_up.folder / "jobs").write_text("")
    subprocess.run(["bash", "-c", script], check=True, cwd=made_up.folder)
    assert [call.replace(" --parsable", "") for call in made_up.calls()] == [
        call.replace(" --parsable", "") for call in submitted
    ]
    (made_up.output / "chain.json").unlink()
    assert made_up.submit() == 0, "the jobs are this chain's"
    assert len(made_up.calls()) == len(submitted)
