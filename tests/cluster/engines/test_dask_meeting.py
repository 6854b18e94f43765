"""The folder in which the parts of one start of a Dask cluster meet."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cluster.engines.dask_meeting import Meeting
from cluster.errors import ClusterError

SETTINGS = {"distributed.comm.tls.ca-file": "a secret", "distributed.worker.preload": []}


def test_it_is_its_users_alone(tmp_path: Path) -> None:
    meeting = Meeting(tmp_path / "new")
    meeting.open(SETTINGS)
    assert meeting.folder.stat().st_mode & 0o777 == 0o700
    assert meeting.settings_file.stat().st_mode & 0o777 == 0o600
    written = yaml.safe_load(meeting.settings_file.read_text())
    assert written == {"distributed": {"comm": {"tls": {"ca-file": "a secret"}}, "worker": {"preload": []}}}
    assert meeting.environment["DASK_CONFIG"] == str(meeting.settings_file)
    warn = "import warnings; warnings.warn('Creating scratch directories is slow'); warnings.warn('other')"
    warned = [sys.executable, "-c", warn]
    said = subprocess.run(warned, env=meeting.environment, capture_output=True, text=True, check=True)
    assert "scratch" not in said.stderr
    assert "other" in said.stderr
    meeting.close()
    assert not meeting.folder.exists()


def test_one_that_others_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(ClusterError, match=f"others may read it.*chmod 700 {tmp_path}"):
        Meeting(tmp_path).open(SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_one_of_an_earlier_start_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "scheduler.json").write_text('{"address": "tls://n1:1"}')
    with pytest.raises(ClusterError, match="an earlier start met there; give a new folder"):
        Meeting(tmp_path).open(SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == ["scheduler.json"]


def test_the_address_appears_when_it_is_whole(tmp_path: Path) -> None:
    meeting, written = Meeting(tmp_path), tmp_path / "scheduler.new"
    looks = iter(["", '{"type": "Scheduler", "addr', json.dumps({"address": "tls://10.0.0.1:5"})])

    def alive() -> bool:
        """Looked at between two looks at the file: Dask writes on."""
        assert meeting.address() is None
        written.write_text(next(looks))
        return True

    meeting.publish(written, 60.0, alive)
    assert meeting.address() == "tls://10.0.0.1:5"
    assert not written.exists()


def test_a_scheduler_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="did not start"):
        Meeting(tmp_path).publish(tmp_path / "never", 60.0, lambda: False)
