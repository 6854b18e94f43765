"""A remote path behaves as a local one would, and looks at the storage itself."""

import os
import pickle
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.storage import RemotePath

NAMES = st.text("ab.é -", min_size=1, max_size=5).filter(lambda name: name not in (".", "..") and name != "")


@given(st.lists(NAMES, min_size=2, max_size=4), NAMES)
def test_names_are_those_of_pathlib(names: list[str], other: str) -> None:
    remote, local = RemotePath("s3://bucket") / "/".join(names), PurePosixPath("/bucket", *names)
    assert (remote.name, remote.suffix, remote.parts[1:]) == (local.name, local.suffix, local.parts[2:])
    assert str(remote) == f"s3:/{local}"
    assert str(remote.parent) == f"s3:/{local.parent}"
    assert [str(parent) for parent in remote.parents] == [f"s3:/{parent}" for parent in local.parents[:-1]]
    assert str(remote.with_name(other)) == f"s3:/{local.with_name(other)}"
    assert str(remote.with_suffix(".json")) == f"s3:/{local.with_suffix('.json')}"
    assert remote.relative_to(remote.parents[1]) == local.relative_to(local.parents[1])
    assert remote.absolute() == RemotePath(str(remote)) == pickle.loads(pickle.dumps(remote))
    assert len({remote, RemotePath(f"{remote}/"), RemotePath(str(remote).replace("bucket/", "bucket//"))}) == 1


def test_a_bucket_itself() -> None:
    path = RemotePath("gs://bucket/")
    assert (str(path), path.parts, path.name, path.parent) == ("gs://bucket", ("gs://bucket",), "", path)
    assert str(path / "a") == "gs://bucket/a"
    with pytest.raises(ValueError, match="is not below"):
        path.relative_to(RemotePath("gs://other"))


def test_nothing_opens_it_as_a_local_file() -> None:
    for wrong in (os.fspath, Path, os.stat):
        with pytest.raises(TypeError, match="s3://b/x is no local file"):
            wrong(RemotePath("s3://b/x"))


def test_files_and_folders(bucket) -> None:
    bucket.put("a/one.txt", b"1")
    bucket.put("a/b/two.txt", b"22")
    bucket.put("a.txt", b"")
    bucket.put("empty/", b"")  # how a console shows an empty folder
    root = RemotePath(bucket.address())
    assert [path.name for path in root.iterdir()] == ["a", "a.txt"]
    assert [str(path)[len(str(root)) :] for path in root.files()] == ["/a/b/two.txt", "/a/one.txt", "/a.txt"]
    assert (root / "a").sizes() == {"one.txt": 1, "b/two.txt": 2}
    assert (root / "a").files("o") == [root / "a" / "one.txt"]
    for name, is_file, is_dir in [
        ("a", False, True),
        ("a/b", False, True),
        ("a/one.txt", True, False),
        ("a.txt", True, False),
        ("a/o", False, False),  # only the beginning of a name
        ("empty", False, False),
        ("none", False, False),
    ]:
        path = root / name
        assert (path.is_file(), path.is_dir(), path.exists()) == (is_file, is_dir, is_file or is_dir), name
    assert list((root / "none").iterdir()) == []


def test_reading(bucket) -> None:
    content = "é\r\nsecond line\n".encode()
    path = RemotePath(bucket.put("x.txt", content))
    assert path.read_bytes() == content
    assert path.read_text() == content.decode()
    assert path.stat().st_size == len(content)
    assert path.stat().st_mtime_ns == path.stat().st_mtime * 10**9 > 0
    with path.open(encoding="utf-8", newline="") as stream:
        assert stream.readline() == "é\r\n"
    with path.open("rb") as stream:
        assert (stream.seek(-5, 2), stream.read(4)) == (len(content) - 5, b"line")
        assert (stream.seek(0), stream.read()) == (0, content)
    with pytest.raises(OSError, match="not opened for 'w'"):
        path.open("w")  # type: ignore[call-overload]


def test_removing(bucket) -> None:
    path = RemotePath(bucket.put("a/x.txt", b"x"))
    with pytest.raises(OSError, match="not empty"):
        path.parent.rmdir()
    path.unlink()
    path.parent.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    assert bucket.names() == []
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        path.unlink()
