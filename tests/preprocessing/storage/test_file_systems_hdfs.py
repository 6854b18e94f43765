"""HDFS as Beam speaks to it: by WebHDFS, to a small server of its protocol that keeps files in memory.

Folders are real there, listings go one level deep and do not tell a folder from an empty file, a file is seen while it
is written, and nothing is written or renamed onto a file that is there.
"""

import posixpath
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from preprocessing.pipeline import run
from preprocessing.sources.patterns import expand
from preprocessing.storage import RemoteLock, RemotePath, file_systems, options, remote_lock
from preprocessing.storage.options import StorageOptions
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS

pytest.importorskip("hdfs", reason="Beam's extra for HDFS is not installed")
flask = pytest.importorskip("flask")
serving = pytest.importorskip("werkzeug.serving")


class Hdfs:
    """Files and folders by their paths."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders = {"/"}
        self.closed: set[str] = set()
        """Folders that may not be listed."""
        self.seen: list[str] = []
        """Every name that a file ever had."""
        self.url = ""

    def add(self, path: str, content: bytes) -> None:
        self.seen.append(path)
        self.files[path] = content
        self.make(posixpath.dirname(path))

    def make(self, folder: str) -> None:
        while folder not in self.folders:
            self.folders.add(folder)
            folder = posixpath.dirname(folder)

    def status(self, path: str, suffix: str = "") -> dict[str, Any] | None:
        if path in self.files:
            size, kind = len(self.files[path]), "FILE"
        elif path in self.folders:
            size, kind = 0, "DIRECTORY"
        else:
            return None
        return {"length": size, "modificationTime": 1234567, "pathSuffix": suffix, "type": kind}

    def answer(self, path: str) -> Any:
        given, operation = flask.request.args, flask.request.args["op"]
        missing = {"RemoteException": {"message": f"File does not exist: {path}", "exception": "FileNotFoundException"}}
        if operation == "CREATE" and "data" not in given:
            target = f"{self.url}/webhdfs/v1{path}?op=CREATE&data=true"
            return flask.Response(status=307, headers={"Location": target})
        if operation == "CREATE":
            self.add(path, flask.request.stream.read())
            return flask.Response(status=201)
        if operation == "MKDIRS":
            self.make(path)
            return {"boolean": True}
        if operation == "RENAME":
            target = given["destination"]
            if path not in self.files or target in self.files:
                return {"boolean": False}
            self.add(target, self.files.pop(path))
            return {"boolean": True}
        if operation == "DELETE":
            below = [name for name in self.files if name == path or name.startswith(f"{path}/")]
            for name in below:
                del self.files[name]
            return {"boolean": bool(below)}
        found = self.status(path)
        if found is None:
            return missing, 404
        if operation == "LISTSTATUS" and path in self.closed:
            message = f"Permission denied: user=somebody, access=READ_EXECUTE, inode={path}"
            return {"RemoteException": {"message": message, "exception": "AccessControlException"}}, 403
        if operation == "GETFILESTATUS":
            return {"FileStatus": found}
        if operation == "LISTSTATUS":
            names = [name for name in (*self.files, *self.folders) if posixpath.dirname(name) == path != name]
            inside = [self.status(name, posixpath.basename(name)) for name in names]
            return {"FileStatuses": {"FileStatus": [found] if path in self.files else inside}}
        assert operation == "OPEN", operation
        start = int(given.get("offset", 0))
        end = start + int(given["length"]) if "length" in given else None
        return flask.Response(self.files[path][start:end], mimetype="application/octet-stream")


@pytest.fixture
def hdfs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hdfs]:
    """The server, and this process reaches it."""
    held = Hdfs()
    app = flask.Flask("hdfs")
    app.add_url_rule(
        "/webhdfs/v1/<path:path>", "any", lambda path: held.answer(f"/{path}"), methods=["GET", "PUT", "DELETE"]
    )
    server = serving.make_server("127.0.0.1", 0, app, threaded=True)
    held.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    given = ("--hdfs_host=127.0.0.1", f"--hdfs_port={server.port}", "--hdfs_user=somebody")
    monkeypatch.setattr(options, "_in_use", StorageOptions(given))
    yield held
    server.shutdown()
    thread.join()


def test_files_and_folders(hdfs: Hdfs) -> None:
    for name, content in {"/d/a/one.txt": b"1", "/d/a/b/two.txt": b"22", "/d/empty.txt": b""}.items():
        hdfs.add(name, content)
    hdfs.make("/d/no/file")
    root = RemotePath("hdfs://d")
    assert [str(path) for path in root.files()] == [
        "hdfs://d/a/b/two.txt",
        "hdfs://d/a/one.txt",
        "hdfs://d/empty.txt",
    ]
    for name, is_file, is_dir in [("a", False, True), ("a/one.txt", True, False), ("empty.txt", True, False)]:
        assert ((root / name).is_file(), (root / name).is_dir()) == (is_file, is_dir), name
    for name in ("none", "none/x.txt", "no"):
        assert not (root / name).exists()
    assert (root / "a" / "b" / "two.txt").stat().st_size == 2
    assert (root / "a" / "b" / "two.txt").stat().st_mtime_ns == 1234 * 10**9
    with (root / "a" / "b" / "two.txt").open("rb") as stream:
        assert (stream.seek(1), stream.read()) == (1, b"2")
    assert [name for _, name in expand("--books", "hdfs://d/**/*.txt")] == ["a/b/two.txt", "a/one.txt", "empty.txt"]
    with pytest.raises(FileNotFoundError):
        (root / "a").unlink()
    assert len(hdfs.files) == 3


def test_a_folder_that_may_not_be_listed_is_not_taken_for_absent(hdfs: Hdfs) -> None:
    hdfs.add("/d/open/one.txt", b"1")
    hdfs.add("/d/closed/two.txt", b"2")
    hdfs.closed.add("/d/closed")
    for look in (RemotePath("hdfs://d/closed").is_dir, RemotePath("hdfs://d").files):
        with pytest.raises(PermissionError, match=r"access is denied \(.*user=somebody"):
            look()
    assert [path.name for path in RemotePath("hdfs://d/open").files()] == ["one.txt"]


def test_a_lock_that_is_being_renewed_is_not_taken_over(hdfs: Hdfs, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a moment no file has its name."""
    monkeypatch.setattr(remote_lock, "SETTLE_SECONDS", 0.1)
    folder = RemotePath("hdfs://d/run")
    with RemoteLock(folder, "run.lock", "leave it") as held:
        marker, written = hdfs.files.pop("/d/run/run.lock"), list(hdfs.seen)

        def renewed(seconds: float) -> None:
            hdfs.files["/d/run/run.lock"] = marker

        monkeypatch.setattr(remote_lock.time, "sleep", renewed)
        with pytest.raises(PreprocessingError, match="is in use by process"):
            RemoteLock(folder, "run.lock", "leave it", wait=0.0).__enter__()
        assert hdfs.seen == written, "no marker of another's"
        assert held._read()["mark"] == held._mark


def test_a_file_has_its_name_when_it_is_complete(hdfs: Hdfs) -> None:
    target = RemotePath("hdfs://d/x.txt")
    for text in ("first", "second"):
        write_text(target, text)
        assert hdfs.files == {"/d/x.txt": text.encode()}
    assert [name == "/d/x.txt" for name in hdfs.seen] == [False, True, False, True]
    target.unlink()
    assert hdfs.files == {}


def test_what_beam_needs_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_in_use", StorageOptions(("--s3_region_name=x",)))
    with pytest.raises(PreprocessingError, match=r"hdfs://d/x: it cannot be used \(hdfs_host is not set\)"):
        file_systems.status_of("hdfs://d/x")


def test_a_build(hdfs: Hdfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From HDFS and into it, the same bytes as on a disk."""
    monkeypatch.setattr("preprocessing.build.folder.write_report", lambda manifest, folder: None)
    words = [f"word{number}" for number in range(40)]
    text = "\n\n".join(
        "\n".join(" ".join(words[(d * 7 + line * 3 + k) % 40] for k in range(8)) for line in range(6))
        for d in range(40)
    )
    vocabulary = "".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *words])
    for name, content in {"in/lines.txt": text, "in/vocab.txt": vocabulary}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        hdfs.add(f"/d/{name}", content.encode())
    small = [
        "--sequence-lengths",
        "16",
        "--split-bytes",
        "4096",
        "--bucket-bytes",
        "8192",
        "--maximum-alone-share",
        "1",
    ]
    for place, given in ((str(tmp_path), ()), ("hdfs://d", options.current_options().arguments)):
        inputs = ["--sentences", f"{place}/in/*s.txt", "--vocab", f"{place}/in/vocab.txt", "--output", f"{place}/out"]
        assert run([*inputs, *small, *given]) == 0
    here = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    there = {name.removeprefix("/d/"): content for name, content in hdfs.files.items()}
    for files in (here, there):
        files.pop("out/build.lock", None)
        del files["out/inputs.feather"]
    assert there == here
