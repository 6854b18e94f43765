"""One text, a local or a remote path; and what is done alike to both."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.storage import RemotePath, absolute, arrow_source, local_copy, location, open_file, status


@pytest.mark.parametrize("text", ["s3://bucket/a", "gs://bucket", "hdfs://server/a/b", "hdfs:///a"])
def test_remote_names(text: str) -> None:
    assert isinstance(location(text), RemotePath)
    assert absolute(text) == text


@pytest.mark.parametrize("text", ["a/b", "/a", "s3", "a:b", "s3:bucket", "./s3://bucket", "C:x"])
def test_local_names(text: str) -> None:
    assert location(text) == Path(text)
    assert absolute(text) == os.path.abspath(text)


@pytest.mark.parametrize(
    "text", ["abfss://b/a", "https://h/a", "file:///a", "s3a://b/a", "s3:/b/a", "S3://b/a", "s3://"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(PreprocessingError, match=r"^--output .*: of remote addresses only gs://, s3://, hdfs:// are"):
        location(text, "--output")


def test_a_path_stays_what_it_is() -> None:
    for path in (Path("a"), RemotePath("s3://b/a")):
        assert location(path) is path


def test_local_files_go_the_old_way(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"content")
    for name in (path, str(path)):
        with open_file(name) as stream:
            assert stream.fileno() >= 0
            assert stream.read() == b"content"
        with local_copy(name) as local:
            assert local == path
        assert status(name) == path.stat()
    assert path.exists()


def test_remote_files(bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    address = bucket.put("a/x.txt", b"content")
    for name in (address, RemotePath(address)):
        with open_file(name) as stream:
            assert stream.read() == b"content"
        with local_copy(name) as local:
            assert (local.name, local.read_bytes()) == ("x.txt", b"content")
        assert status(name).st_size == 7
    assert list(tmp_path.iterdir()) == []


def test_arrow_files_are_read_in_ranges(bucket, tmp_path: Path) -> None:
    batches = [pa.record_batch({"x": list(range(start, start + 1000))}) for start in (0, 1000, 2000)]
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    address = bucket.put("x.arrow", (tmp_path / "x.arrow").read_bytes())
    for name in (tmp_path / "x.arrow", address):
        with arrow_source(name) as source, pa.ipc.open_file(source) as reader:
            assert reader.get_batch(2).equals(batches[2])
    with pytest.raises(FileNotFoundError), arrow_source(bucket.address("none")):
        pass
