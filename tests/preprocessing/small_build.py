"""A build that takes a second: its options, its words, and what the tests ask of its folder or its refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = [f"word{index}" for index in range(80)]
SMALL = ("--sequence-lengths", "16,32", "--heldout-fraction", "0.1", "--split-bytes", "4096", "--bucket-bytes", "8192")
Build = Callable[..., int]


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The one sentence that a refused build prints."""
    printed = capsys.readouterr().err.strip()
    assert code == 2
    assert len(printed.splitlines()) == 1, printed
    assert "Traceback" not in printed
    return printed


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
