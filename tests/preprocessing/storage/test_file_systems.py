"""Reading and writing through Beam's file systems, and what is said when that fails."""

import errno
import gc
import io
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.storage import file_systems, options
from preprocessing.storage.file_systems import files_with, open_remote, put_bytes, put_file, status_of

PART = 8 << 20


class Interrupted(io.BytesIO):
    """Bytes whose reader is interrupted after the first two parts."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 2 * PART:
            raise KeyboardInterrupt
        return super().read(size)


def test_a_large_file_there_and_back(bucket, tmp_path: Path) -> None:
    content = random.Random(1).randbytes((20 << 20) + 17)
    (tmp_path / "x.bin").write_bytes(content)
    put_file(tmp_path / "x.bin", bucket.address("a/x.bin"))
    assert bucket.get("a/x.bin") == content
    with open_remote(bucket.address("a/x.bin")) as stream:
        assert stream.read() == content
        for start in (19 << 20, 5, 7 << 20):
            assert stream.seek(start) == start
            assert stream.read(1000) == content[start : start + 1000]


def test_a_name_is_no_compression(bucket) -> None:
    put_bytes(b"plain", bucket.address("x.gz"))
    assert bucket.get("x.gz") == b"plain"
    with open_remote(bucket.address("x.gz")) as stream:
        assert stream.read() == b"plain"


def test_an_interrupted_upload_leaves_what_was_there(bucket) -> None:
    put_bytes(b"before", bucket.address("old"))
    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            file_systems._put(Interrupted(b"x" * (4 * PART)), bucket.address(name))
    assert bucket.names() == ["old"]
    assert bucket.get("old") == b"before"


def test_an_upload_whose_end_fails_is_not_completed_later(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam's stream would try again when it is collected, with its last part twice."""
    from apache_beam.io.aws import s3io

    ends: list[bool] = []
    of_beam = s3io.S3Uploader.finish

    def finish(uploader: object) -> None:
        ends.append(True)
        if len(ends) == 1:
            raise ConnectionError("lost")
        of_beam(uploader)

    monkeypatch.setattr(s3io.S3Uploader, "finish", finish)
    with pytest.raises(OSError, match="does not answer"):
        put_bytes(b"hello", bucket.address("x"))
    gc.collect()
    assert len(ends) == 1
    assert bucket.names() == []


def test_a_name_with_an_empty_part_is_refused(bucket) -> None:
    bucket.put("d/a//x.txt", b"x")
    with pytest.raises(PreprocessingError, match="a name with an empty part would be taken for another; rename it"):
        list(files_with(bucket.address("d")))


def test_many_threads_share_one_client(bucket) -> None:
    """In a process of its own, where nothing is shared yet."""
    code = (
        "import sys, threading; sys.setswitchinterval(1e-6)\n"
        "from apache_beam.io.aws.clients.s3 import boto3_client\n"
        "from preprocessing.storage.s3_client import share_client\n"
        "threads = [threading.Thread(target=share_client) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print([base.__name__ for base in boto3_client.Client.__mro__].count('SharedClient'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "1\n"


class OfGoogle:
    """As the stream of Google's library: to close it completes it, and to end it asks the service."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def write(self, data: bytes) -> int:
        raise KeyboardInterrupt

    def terminate(self) -> None:
        self.calls.append("terminate")
        raise ConnectionError

    def close(self) -> None:
        self.calls.append("close")


def test_an_interrupted_upload_to_google(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = OfGoogle()
    systems = type("Systems", (), {"create": lambda self, address, compression_type: stream})()
    monkeypatch.setattr(file_systems, "_file_systems", lambda address: systems)
    with pytest.raises(KeyboardInterrupt):
        put_bytes(b"x", "gs://b/x")
    stream.close()  # as the garbage collector does
    assert stream.calls == ["terminate"]


def test_more_files_than_fit_into_one_answer(bucket) -> None:
    names = [f"many/{number:04d}" for number in range(1003)]
    for name in names:
        bucket.put(name, b"")
    assert [file.address for file in files_with(bucket.address("many"))] == [bucket.address(name) for name in names]
    assert len(list(files_with(bucket.address("many"), limit=1))) == 1
    assert len(list(files_with(bucket.address("many"), "100"))) == 3


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?"])
def test_a_folder_that_beam_takes_for_a_pattern(bucket, name: str) -> None:
    with pytest.raises(PreprocessingError, match="may have no"):
        list(files_with(bucket.address(name)))


def test_what_is_not_there(bucket) -> None:
    for missing in (lambda name: status_of(name), lambda name: open_remote(name)):
        with pytest.raises(FileNotFoundError) as caught:
            missing(bucket.address("none"))
        assert str(caught.value) == f"{bucket.address('none')}: there is no such file."
        with pytest.raises(PreprocessingError, match="s3://no-such-bucket/x: there is no such bucket; check its name"):
            missing("s3://no-such-bucket/x")
    with pytest.raises(PreprocessingError, match="there is no such bucket"):
        put_bytes(b"x", "s3://no-such-bucket/x")
    with pytest.raises(PreprocessingError, match="there is no such bucket"):
        list(files_with("s3://no-such-bucket/x"))


def test_a_wrong_key(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = pytest.importorskip("moto.settings")
    bucket.put("x", b"x")
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    with pytest.raises(PermissionError) as caught:
        status_of(bucket.address("x"))
    assert isinstance(caught.value, PreprocessingError)
    assert "x: access is denied (" in str(caught.value)
    assert "a-secret-of-the-tests" not in str(caught.value)


def test_no_key_at_all(bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    without = options.StorageOptions(tuple(option for option in bucket.options if "key" not in option))
    monkeypatch.setattr(options, "_in_use", without)
    with pytest.raises(PreprocessingError, match="no keys were found") as caught:
        status_of(bucket.address("x"))
    assert caught.value.exit_code == 2


def test_nobody_answers(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = options.StorageOptions((f"--s3_endpoint_url=http://127.0.0.1:{port}", *bucket.options[1:]))
    monkeypatch.setattr(options, "_in_use", nowhere)
    with pytest.raises(TransientError, match="the storage service does not answer") as caught:
        status_of(bucket.address("x"))
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.EHOSTUNREACH


def test_trouble_in_the_middle_of_a_file(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from apache_beam.io.aws.clients.s3.messages import S3ClientError

    bucket.put("x", b"x" * 100)
    stream = open_remote(bucket.address("x"))

    def fails(*_: object) -> int:
        raise S3ClientError("InternalError", 500)

    monkeypatch.setattr(stream.raw._stream, "readinto", fails, raising=False)
    with pytest.raises(TransientError, match="x: the storage service fails"):
        stream.read()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("s3://b/x", "for S3 Apache Beam needs its extra aws, which is not installed; pip install 'apache-beam[aws]'."),
        ("gs://b/x", "for Google Cloud Storage Apache Beam needs its extra gcp"),
        ("hdfs://n/x", "for HDFS Apache Beam needs its extra hadoop"),
    ],
)
def test_an_extra_that_is_not_installed(address: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "_is_installed", lambda module: False)
    with pytest.raises(PreprocessingError) as caught:
        status_of(address)
    assert str(caught.value).startswith(f"{address}: {sentence}")


def test_modules_of_extras() -> None:
    assert file_systems._is_installed("json")
    assert not file_systems._is_installed("no_such_package.module")


def test_connections_are_shared_and_places_are_not(bucket) -> None:
    """Two files read in turns: one client of boto3, and each reader goes on where it was."""
    first, second = (bytes([number]) * (3 << 20) for number in (1, 2))
    with open_remote(bucket.put("1", first)) as one, open_remote(bucket.put("2", second)) as two:
        for _ in range(3):
            assert one.read(1 << 20) == first[: 1 << 20]
            assert two.read(1 << 20) == second[: 1 << 20]
        clients = [stream.raw._stream._downloader._client for stream in (one, two)]
        assert clients[0] is not clients[1]
        assert clients[0].client is clients[1].client
