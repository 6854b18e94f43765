"""How many jobs a cluster takes is asked of the cluster. Its commands are stand-ins."""

import os
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweeps.limits import MOST_TASKS, array_limit, submit_room


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        ("echo 'MaxArraySize            = 4001'", 4001),
        ("echo 'slurm_load_ctl_conf error: Unable to contact slurm controller' >&2; exit 1", MOST_TASKS),
        ("exit 0", MOST_TASKS),
    ],
)
def test_the_cluster_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, limit: int) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\n[ "$*" = "show config" ] || exit 3\n{answer}\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert array_limit() == limit


def test_where_there_is_no_slurm_its_default_is_taken_and_where_it_has_no_arrays_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert array_limit() == MOST_TASKS
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\necho 'MaxArraySize = 0'\n")
    scontrol.chmod(0o755)
    with pytest.raises(FinetuningError, match="takes no job arrays"):
        array_limit()


@pytest.mark.parametrize(
    ("limits", "queued", "room"),
    [
        ("echo 20", "echo 7_1; echo 7_2; echo 8", 17),
        ("echo; echo 20; echo 5", "", 20),
        ("echo 2", "echo 1; echo 2; echo 3", 0),
        ("echo", "echo 1", None),
        ("echo no accounting >&2; exit 1", "echo 1", None),
    ],
)
def test_the_room_is_what_the_limit_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: str, queued: str, room: int | None
) -> None:
    asked = (("sacctmgr", '[[ "$*" == *format=MaxSubmitJobs ]]', limits), ("squeue", '[[ "$*" == *--array* ]]', queued))
    for name, check, answer in asked:
        (tmp_path / name).write_text(f"#!/bin/bash\n{check} || exit 3\n{answer}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert submit_room() == room


def test_without_slurm_no_limit_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert submit_room() is None
