"""One writer per folder: refused while its holder lives, taken when it does not."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from preprocessing import folder_lock
from preprocessing.errors import PreprocessingError
from preprocessing.folder_lock import FolderLock

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys, time; sys.path[0:0] = ['.']; from pathlib import Path\n"
    "from preprocessing.folder_lock import FolderLock\n"
    "with FolderLock(Path(sys.argv[1]), 'run.lock', ''): print('held', flush=True); time.sleep(600)"
)


def test_held_and_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with FolderLock(tmp_path / "run", "run.lock", "leave it") as lock:
            held = json.loads(lock.path.read_text())
            assert (held["host"], held["process"]) == (socket.gethostname(), os.getpid())
            lock.touch()
        assert lock.path.read_text() == ""


def test_it_says_by_itself_that_its_holder_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the holder does meanwhile: only so is it not taken for dead on another host."""
    monkeypatch.setattr(folder_lock, "TOUCH_SECONDS", 0.01)
    touched = threading.Event()
    lock = FolderLock(tmp_path, "run.lock", "leave it")
    monkeypatch.setattr(lock, "touch", touched.set)
    with lock:
        assert touched.wait(60)


def test_refused_while_its_holder_lives_and_taken_when_it_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PreprocessingError, match=rf"{tmp_path} is in use by process {holder.pid} on .*, since 20"):
            FolderLock(tmp_path, "run.lock", "leave it", wait=0.0).__enter__()
        holder.kill()
    assert tmp_path.joinpath("run.lock").read_text() != ""
    with FolderLock(tmp_path, "run.lock", "leave it", wait=0.0):
        pass


def test_a_holder_on_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where locks do not reach it, the file's time tells whether it lives."""
    path = tmp_path / "run.lock"
    path.write_text(json.dumps({"host": "elsewhere", "process": 5, "started": "2030-01-01 00:00:00"}))
    with pytest.raises(PreprocessingError, match="in use by process 5 on elsewhere, since 2030"):
        FolderLock(tmp_path, "run.lock", "leave it", wait=0.0).__enter__()
    old = path.stat().st_mtime - folder_lock.STALE_SECONDS - 5
    os.utime(path, (old, old))
    with FolderLock(tmp_path, "run.lock", "leave it", wait=0.0):
        assert json.loads(path.read_text())["host"] == socket.gethostname()
    assert [item.name for item in tmp_path.iterdir()] == ["run.lock"]


def test_a_holder_on_another_host_that_falls_silent_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was killed there and goes on here, at once: its lock is not stale yet, but soon will be."""
    path = tmp_path / "run.lock"
    path.write_text(json.dumps({"host": "elsewhere", "process": 5, "started": "2030-01-01 00:00:00"}))
    ages = iter([5.0, 12.0, 30.0, 59.0, 61.0])  # looked at twice a round: is it held, and is it silent
    monkeypatch.setattr(folder_lock.time, "sleep", lambda _: None)
    monkeypatch.setattr(FolderLock, "_age", lambda _: next(ages))
    with FolderLock(tmp_path, "run.lock", "leave it", wait=0.0):
        assert json.loads(path.read_text())["host"] == socket.gethostname()
    assert list(ages) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(folder_lock.fcntl, "flock", unknown)
    with FolderLock(tmp_path, "run.lock", "leave it", wait=0.0):
        assert json.loads((tmp_path / "run.lock").read_text())["process"] == os.getpid()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PreprocessingError, match="is a file, not a folder"):
        FolderLock(tmp_path / "file" / "run", "run.lock", "leave it").__enter__()
