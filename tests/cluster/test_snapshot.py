"""The copy of the code: all of it, once, complete or not at all, and what a job runs."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster import snapshot
from cluster.errors import ClusterError
from cluster.snapshot import PACKAGES, main, take_snapshot


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four packages of a file each, with rubbish beside them."""
    for package in PACKAGES:
        (tmp_path / "project" / package / "__pycache__").mkdir(parents=True)
        (tmp_path / "project" / package / "__init__.py").write_text(f"NAME = '{package}'\n")
        (tmp_path / "project" / package / "__pycache__" / "a.py").write_text("")
    (tmp_path / "project" / "cluster" / "core.4711").write_bytes(b"\0" * 1000)
    (tmp_path / "project" / "runs").mkdir()
    (tmp_path / "project" / "runs" / "weights.py").write_text("")
    return tmp_path / "project"


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_holds_the_code_and_nothing_else(project: Path, tmp_path: Path) -> None:
    target = take_snapshot(tmp_path / "copies", project)
    assert files_of(target) == sorted(f"{package}/__init__.py" for package in PACKAGES)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_of_this_project_it_holds_all_that_git_tracks(repository: Path, tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *PACKAGES], cwd=repository, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    tracked = {name for name in listed.stdout.split("\0") if name and (repository / name).is_file()}
    assert tracked <= set(files_of(take_snapshot(tmp_path)))


def test_the_same_code_is_copied_once_and_changed_code_again(project: Path, tmp_path: Path) -> None:
    first = take_snapshot(tmp_path / "copies", project)
    before = (first / "cluster" / "__init__.py").stat().st_mtime_ns
    (first / "cluster" / "__pycache__").mkdir()
    (first / "cluster" / "__pycache__" / "a.py").write_text("what Python leaves there")
    assert take_snapshot(tmp_path / "copies", project) == first
    assert (first / "cluster" / "__init__.py").stat().st_mtime_ns == before
    (project / "cluster" / "__init__.py").write_text("NAME = 'edited'\n")
    second = take_snapshot(tmp_path / "copies", project)
    assert second != first
    assert (first / "cluster" / "__init__.py").read_text() == "NAME = 'cluster'\n"
    assert (second / "cluster" / "__init__.py").read_text() == "NAME = 'edited'\n"


def test_a_copy_of_a_copy_has_its_name(project: Path, tmp_path: Path) -> None:
    """A job that takes one of the code that it runs."""
    first = take_snapshot(tmp_path / "copies", project)
    assert take_snapshot(tmp_path / "more", first).name == first.name


def test_where_a_name_ends_and_its_content_begins_matters(project: Path, tmp_path: Path) -> None:
    (project / "cluster" / "a.py").write_text("b.py")
    first = take_snapshot(tmp_path / "copies", project)
    (project / "cluster" / "a.py").rename(project / "cluster" / "ab.py")
    (project / "cluster" / "ab.py").write_text(".py")
    assert take_snapshot(tmp_path / "copies", project) != first


def test_a_copy_that_was_edited_is_refused(project: Path, tmp_path: Path) -> None:
    target = take_snapshot(tmp_path / "copies", project)
    (target / "cluster" / "__init__.py").write_text("NAME = 'mended in place'\n")
    with pytest.raises(ClusterError, match="a file in it was changed"):
        take_snapshot(tmp_path / "copies", project)


def test_one_that_is_killed_leaves_nothing_that_counts(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the rename, and so without its own tidying; what lies there for long is removed."""
    with monkeypatch.context() as killed:
        killed.setattr(Path, "rename", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt))
        killed.setattr(shutil, "rmtree", lambda *arguments, **options: None)
        with pytest.raises(KeyboardInterrupt):
            take_snapshot(tmp_path / "copies", project)
    (left,) = (tmp_path / "copies").iterdir()
    assert left.name.startswith(".")
    target = take_snapshot(tmp_path / "copies", project)
    assert files_of(target) == sorted(f"{package}/__init__.py" for package in PACKAGES)
    assert left.exists(), "another process may be writing it"
    monkeypatch.setattr(snapshot, "_STALE_SECONDS", -1.0)
    shutil.rmtree(target)
    take_snapshot(tmp_path / "copies", project)
    assert not left.exists()


def test_many_at_once_agree(project: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        targets = set(pool.map(lambda _: take_snapshot(tmp_path / "copies", project), range(16)))
    assert len(targets) == 1
    assert [path.name for path in (tmp_path / "copies").iterdir()] == [targets.pop().name]


def test_its_code_goes_before_what_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "copies")]) == 0
    target = Path(capsys.readouterr().out.strip())
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [sys.executable, "-c", "import cluster.beam, pretraining; print(cluster.beam.__file__)"]
    said = subprocess.check_output(command, env=environment, text=True, cwd=tmp_path)
    assert Path(said.strip()) == target / "cluster" / "beam.py"


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("snapshot: no copy of the code in ")
    assert len(said.splitlines()) == 1
