"""The table of a chain: each stage's state by its files and Slurm's word, how far it is and when it will end."""

import json
import os
from datetime import datetime

import pytest

from cluster.chain import slurm
from cluster.chain.record import Record
from cluster.chain.road import read_chain
from cluster.chain.table import Row, rows_of
from tests.cluster.chain.conftest import FINETUNE, RUN, MadeUp

NOW = datetime(2026, 3, 4, 12, 0)


def rows(made_up: MadeUp, asked: bool = True) -> dict[str, Row]:
    record = Record.read(made_up.output)
    found = rows_of(read_chain(made_up.file), record, slurm.queue() if asked else None, NOW)
    return {row.stage: row for row in found}


def test_before_anything_is_submitted(made_up: MadeUp) -> None:
    assert {row.state for row in rows(made_up).values()} == {"not submitted"}


def test_a_stage_that_runs_and_those_that_wait(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.finish("preprocess", 1)
    made_up.finish("verify", 2)
    lines = (made_up.folder / "jobs").read_text().splitlines()
    end = lines[2].replace("PENDING|None|N/A|N/A", "RUNNING|None|2026-03-04T11:00:00|2026-03-05T11:00:00")
    waits = lines[3].replace("PENDING|None|N/A", "PENDING|Dependency|N/A")
    (made_up.folder / "jobs").write_text("\n".join([*lines[:2], end, waits]) + "\n")
    found = rows(made_up)
    assert [row.state for row in found.values()] == ["complete", "complete", "running", "waits"]
    assert (found["phase1"].expected, found["phase1"].note) == ("by 05 Mar 11:00", "by the time limit")
    assert found["phase2"].note == "for the stage before"
    phase1 = made_up.output / "phase1"
    phase1.mkdir()
    (phase1 / "state.json").write_text('{"status": "running", "step": 0, "steps": 100}')
    metrics = [{"step": 40, "seconds_per_step": 60.0, "loss": 5.25}, {"step": 40, "held_out": 1}]
    (phase1 / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics) + '{"step"')
    found = rows(made_up)
    assert found["phase1"].progress == "step 40 of 100, loss 5.250"
    assert found["phase1"].expected == "13:00"


def test_a_build_says_how_far_it_is(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.set_state(1, "RUNNING")
    progress = {"phase": "read", "done": 1200, "total": 3000, "unit": "splits", "seconds_left": 60.0, "updated": 1e12}
    (made_up.output / "shards").mkdir()
    (made_up.output / "shards" / "progress.json").write_text(json.dumps(progress))
    assert rows(made_up)["preprocess"].progress == "read: 1,200 of 3,000 splits"
    (made_up.output / "shards" / "progress.json").write_text('{"phase": 3')
    assert rows(made_up)["preprocess"].progress == ""


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        ("FAILED", "NonZeroExitCode", "failed"),
        ("TIMEOUT", "TimeLimit", "out of time"),
        ("OUT_OF_MEMORY", "OutOfMemory", "out of memory"),
        ("CANCELLED", "None", "cancelled"),
        ("CANCELLED", "DependencyNeverSatisfied", "not started"),
        ("PENDING", "DependencyNeverSatisfied", "not started"),
        ("COMPLETED", "None", "not complete"),
    ],
)
def test_a_stage_whose_job_is_over(made_up: MadeUp, state: str, reason: str, word: str) -> None:
    made_up.submit()
    made_up.set_state(3, state, reason)
    log = made_up.output / "logs" / "phase1-3.log"
    log.write_text("what it said")
    row = rows(made_up)["phase1"]
    assert (row.state, row.note, row.is_active) == (word, "see out/logs/phase1-3.log", False)


def test_when_slurm_has_forgotten_or_cannot_be_asked_files_speak(made_up: MadeUp) -> None:
    made_up.submit()
    made_up.finish("preprocess")
    (made_up.folder / "jobs").write_text("")
    assert [row.state for row in rows(made_up).values()] == ["complete", *["not complete"] * 3]
    found = rows(made_up, asked=False)
    assert [row.state for row in found.values()] == ["complete", *["not complete"] * 3]
    assert found["phase1"].note == "Slurm cannot be asked here"


def test_a_sweep_counts_its_runs(made_up: MadeUp) -> None:
    made_up.write(RUN + FINETUNE)
    made_up.submit()
    assert rows(made_up)["finetune"].progress == "0 of 2 runs"
    logs = made_up.output / "finetune" / "logs" / "out" / "cola" / "lr0.0001-batch32-epochs3-seed1"
    logs.mkdir(parents=True)
    (logs / "failed.json").write_text("{}")
    assert rows(made_up)["finetune"].progress == "0 of 2 runs, 1 failed"


def test_the_command_prints_it(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up.submit()
    capsys.readouterr()
    assert made_up.submit("status") == 0
    said = capsys.readouterr().out
    assert all(f" {stage} " in said for stage in ("preprocess", "verify", "phase1", "phase2"))
    for seconds in ("0", "nan", "inf"):
        assert made_up.submit("status", "--every", seconds) == 2
    # Nothing waits or runs any more, so that watching ends by itself.
    (made_up.folder / "jobs").write_text("")
    assert made_up.submit("status", "--watch") == 0
    monkeypatch.setenv("PATH", os.devnull)
    assert made_up.submit("status") == 0
    assert "Slurm cannot be asked here" in capsys.readouterr().out


def test_watching_outlives_a_controller_that_does_not_answer(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up.submit()
    (made_up.folder / "jobs").write_text("")
    squeue = made_up.folder / "bin" / "squeue"
    squeue.write_text(f"#!/bin/bash\ncd {made_up.folder}\n[[ -e asked ]] && exit 0\ntouch asked\nexit 1\n")
    capsys.readouterr()
    assert made_up.submit("status", "--watch", "--every", "0.1") == 0
    said = capsys.readouterr().out
    assert said.startswith("squeue failed with exit code 1: it said nothing: asked again in 0.1 seconds")
    assert "not complete" in said
    (made_up.folder / "asked").unlink()
    assert made_up.submit("status") == 2
