"""What Slurm's commands answer, as this package takes it."""

from pathlib import Path

import pytest

from cluster.chain import slurm
from cluster.errors import ClusterError
from tests.cluster.chain.conftest import MadeUp


def answers(made_up: MadeUp, command: str, text: str, code: int = 0) -> None:
    file = made_up.folder / "bin" / command
    stream = "" if code == 0 else " >&2"
    file.write_text(f"#!/bin/bash\ncat{stream} <<'END'\n{text}\nEND\nexit {code}\n")


@pytest.mark.parametrize(
    ("lines", "states", "active", "runs", "vain"),
    [
        (["7|PENDING|Dependency|N/A|N/A|x"], ("PENDING",), True, False, False),
        (["7|PENDING|DependencyNeverSatisfied|N/A|N/A|x"], ("PENDING",), False, False, True),
        (["7|CANCELLED|DependencyNeverSatisfied|N/A|N/A|x"], ("CANCELLED",), False, False, False),
        (["7|PENDING|BeginTime|2026-01-01T00:00:00|NONE|x"], ("PENDING",), True, False, False),
        (["7|COMPLETING|None|N/A|N/A|x"], ("COMPLETING",), True, True, False),
        *(
            ([f"7|{state}|None|N/A|N/A|x"], (state,), False, False, False)
            for state in ("COMPLETED", "FAILED", "TIMEOUT")
        ),
        (["7|NODE_FAIL|None|N/A|N/A|x"], ("NODE_FAIL",), False, False, False),
        (
            ["7|FAILED|None|N/A|N/A|x", "7|RUNNING|None|N/A|N/A|x", "7|PENDING|JobArrayTaskLimit|N/A|N/A|x"],
            ("RUNNING", "PENDING", "FAILED"),
            True,
            True,
            False,
        ),
    ],
)
def test_states_of_a_job(
    made_up: MadeUp, lines: list[str], states: tuple[str, ...], active: bool, runs: bool, vain: bool
) -> None:
    (made_up.folder / "jobs").write_text("".join(f"{line}\n" for line in lines))
    (job,) = slurm.queue().values()
    assert (job.states, job.is_active, job.runs, job.waits_in_vain) == (states, active, runs, vain)


def test_a_name_may_hold_anything(made_up: MadeUp) -> None:
    (made_up.folder / "jobs").write_text("7|RUNNING|None|2026-01-01T00:00:00|2026-01-02T00:00:00|a|b c\n")
    job = slurm.queue()["7"]
    assert (job.name, job.start, job.end) == ("a|b c", "2026-01-01T00:00:00", "2026-01-02T00:00:00")


@pytest.mark.parametrize(("answer", "number"), [("12", "12"), ("12;cluster", "12"), ("a word of the site\n12", "12")])
def test_the_number_of_a_job(made_up: MadeUp, answer: str, number: str) -> None:
    answers(made_up, "sbatch", answer)
    assert slurm.submit(["x"], {}) == number


@pytest.mark.parametrize("answer", ["", "Submitted batch job 12"])
def test_an_answer_without_a_number_is_said(made_up: MadeUp, answer: str) -> None:
    answers(made_up, "sbatch", answer)
    with pytest.raises(ClusterError, match="sbatch gave no job number"):
        slurm.submit(["x"], {})


def test_what_slurm_says_of_nodes_that_are_down_is_no_objection(made_up: MadeUp) -> None:
    """A real sbatch takes such a job, which then waits."""
    answers(made_up, "sbatch", "allocation failure: Requested node configuration is not available", 1)
    assert slurm.objection(["x"], {}) is None
    answers(made_up, "sbatch", "allocation failure: Invalid partition name specified", 1)
    assert "Invalid partition name" in str(slurm.objection(["x"], {}))


def test_a_line_that_is_not_as_asked_is_refused(made_up: MadeUp) -> None:
    (made_up.folder / "jobs").write_text("7|RUNNING\n")
    with pytest.raises(ClusterError, match="not as it was asked"):
        slurm.queue()


def test_a_machine_without_slurm(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not slurm.is_here()
    with pytest.raises(ClusterError, match="this machine has no squeue; go to one from which jobs are submitted"):
        slurm.queue()
