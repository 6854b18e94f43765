"""One writer per remote folder, by a marker that its holder renews."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.storage import RemoteLock, RemotePath, remote_lock

HOLD = (
    "import sys, time; from preprocessing.storage import RemoteLock, RemotePath, use_arguments\n"
    "use_arguments(sys.argv[2:])\n"
    "with RemoteLock(RemotePath(sys.argv[1]), 'run.lock', ''): print('held', flush=True); time.sleep(600)"
)
ELSEWHERE = {"host": "elsewhere", "process": 5, "started": "2030-01-01 00:00:00", "mark": "m", "renewal": "1"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"LOOK_SECONDS": 0.05, "SETTLE_SECONDS": 0.3, "RENEW_SECONDS": 0.1}.items():
        monkeypatch.setattr(remote_lock, name, seconds)


def lock(bucket, wait: float = 0.0) -> RemoteLock:
    return RemoteLock(RemotePath(bucket.address("run")), "run.lock", "give another --output", wait=wait)


def test_held_and_given_back(bucket) -> None:
    for _ in range(2):
        with lock(bucket):
            found = json.loads(bucket.get("run/run.lock"))
            assert (found["host"], found["process"]) == (socket.gethostname(), os.getpid())
        assert bucket.names() == []


def test_a_holder_that_lives_is_waited_for_and_named(bucket, capsys: pytest.CaptureFixture[str]) -> None:
    with lock(bucket):
        with pytest.raises(PreprocessingError) as caught:
            lock(bucket, wait=0.2).__enter__()
        folder = bucket.address("run")
        said = f"{folder} is in use by process {os.getpid()} on {socket.gethostname()}, since 20"
        assert str(caught.value).startswith(said)
        assert str(caught.value).endswith(f"or give another --output; if it is dead, remove {folder}/run.lock.")
        assert f"{folder} is in use by process {os.getpid()}" in capsys.readouterr().err
        assert bucket.names() == ["run/run.lock"]


def test_a_holder_that_was_killed_here_is_not_waited_for(bucket) -> None:
    command = [sys.executable, "-c", HOLD, bucket.address("run"), *bucket.options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(PreprocessingError, match=f"in use by process {holder.pid} on"):
            lock(bucket).__enter__()
        holder.kill()
    assert bucket.names() == ["run/run.lock"]
    with lock(bucket):
        assert json.loads(bucket.get("run/run.lock"))["process"] == os.getpid()


def test_a_holder_elsewhere_is_taken_for_dead_when_it_renews_nothing(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("run/run.lock", json.dumps(ELSEWHERE).encode())
    with pytest.raises(PreprocessingError, match="in use by process 5 on elsewhere, since 2030"):
        lock(bucket, wait=0.2).__enter__()
    monkeypatch.setattr(remote_lock, "STALE_SECONDS", 0.2)
    with lock(bucket, wait=60):
        assert json.loads(bucket.get("run/run.lock"))["host"] == socket.gethostname()


def test_what_is_no_marker_is_taken_over_in_time(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("run/run.lock", b"{")
    with pytest.raises(PreprocessingError, match="in use by another process"):
        lock(bucket).__enter__()
    monkeypatch.setattr(remote_lock, "STALE_SECONDS", 0.2)
    with lock(bucket, wait=60):
        pass


def test_the_marker_is_renewed_until_another_takes_it(bucket) -> None:
    with lock(bucket) as held:
        before = json.loads(bucket.get("run/run.lock"))
        seen = set()
        while len(seen) < 3:
            found = json.loads(bucket.get("run/run.lock"))
            seen.add(found["renewal"])
        assert found["mark"] == before["mark"]
        bucket.put("run/run.lock", json.dumps(ELSEWHERE).encode())
        held._thread.join()
    assert json.loads(bucket.get("run/run.lock")) == ELSEWHERE  # not removed by the one that lost it


def test_of_two_at_once_the_later_marker_holds(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other looked before this one's marker was there, and writes its own after it."""
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            bucket.put("run/run.lock", json.dumps(ELSEWHERE).encode())

    monkeypatch.setattr(remote_lock.time, "sleep", pause)
    with pytest.raises(PreprocessingError, match="in use by process 5 on elsewhere"):
        lock(bucket).__enter__()
    assert pauses == [remote_lock.SETTLE_SECONDS]
    assert json.loads(bucket.get("run/run.lock")) == ELSEWHERE


def test_of_many_at_once_one_holds_the_folder(bucket) -> None:
    everybody, outcome = threading.Barrier(4), []

    def begin() -> None:
        everybody.wait()
        try:
            with lock(bucket):
                outcome.append("held")
                everybody.wait()
        except PreprocessingError:
            outcome.append("refused")
            everybody.wait()

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome) == ["held", "refused", "refused", "refused"]


def test_the_defaults_let_no_dead_holder_stand_in_the_way() -> None:
    fresh = {name: value for name, value in vars(__import__("importlib").reload(remote_lock)).items() if name.isupper()}
    assert fresh["RENEW_SECONDS"] * 3 < fresh["STALE_SECONDS"] < fresh["WAIT_SECONDS"]
