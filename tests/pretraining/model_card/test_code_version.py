"""The code is named by its commit, or by the copy that a job runs; never by somebody else's checkout."""

import subprocess
from pathlib import Path

import pytest

from pretraining.model_card.code_version import code_version, package_versions

OURS = "pretraining/model_card/code_version.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / OURS).parent.mkdir(parents=True)
    (tmp_path / OURS).write_text("")
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    run = subprocess.run(["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_checkout(checkout: Path) -> None:
    assert code_version(checkout)["revision"] is None  # this file is none of it
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "one")
    commit = git(checkout, "rev-parse", "HEAD")
    known = code_version(checkout)
    assert (known["revision"], known["modified"]) == (commit, False)
    (checkout / "notes.txt").write_text("of no account")
    assert code_version(checkout)["modified"] is False
    (checkout / OURS).write_text("changed")
    known = code_version(checkout)
    assert (known["revision"], known["modified"]) == (commit, True)


def test_without_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    version = package_versions(("bert-pretraining",)).get("bert-pretraining")
    assert code_version(tmp_path) == {"version": version, "revision": None}
    monkeypatch.setenv("PATH", str(tmp_path))  # no git there
    assert code_version()["revision"] is None


def test_a_copy_for_a_job(tmp_path: Path) -> None:
    assert code_version(tmp_path / "code-0123456789ab")["revision"] == "code-0123456789ab"


def test_packages() -> None:
    assert list(package_versions(("torch", "no-such-package"))) == ["torch"]
