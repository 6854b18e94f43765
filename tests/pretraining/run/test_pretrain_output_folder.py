"""Where a run cannot write: said before the ranks are joined, or as something that another try may cure."""

import errno
import os
from pathlib import Path

import pytest

from pretraining.errors import PretrainingError
from pretraining.main import main, require_writable
from pretraining.run import pretrain

RECIPE = Path(__file__).parents[3] / "pretraining" / "recipes" / "demo-phase1.toml"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


def test_below_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--config", str(RECIPE), f"--output.folder={tmp_path / 'file' / 'run'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'file'} is a file" in line


def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # as root every folder is writable
    with pytest.raises(PretrainingError, match="may not write"):
        require_writable(tmp_path / "run")


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 75), (errno.EDQUOT, 75), (errno.EACCES, 2)])
def test_a_file_that_cannot_be_written(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number), str(tmp_path / "metrics.jsonl"))

    monkeypatch.setattr(pretrain, "run", full)
    assert main(["--config", str(RECIPE), f"--output.folder={tmp_path}"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert "metrics.jsonl" in line
