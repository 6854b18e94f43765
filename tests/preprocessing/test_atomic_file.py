import errno
import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.atomic_file import replacing, write_text
from preprocessing.errors import PreprocessingError


def test_the_file_is_there_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with replacing(target) as temporary:
        temporary.write_text("x")
        assert not target.exists()
    assert target.read_text() == "x"
    assert list(target.parent.iterdir()) == [target]


def write_half(target: Path, error: Exception) -> None:
    with replacing(target) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "old")
    with pytest.raises(ZeroDivisionError):
        write_half(target, ZeroDivisionError())
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space"), (errno.EACCES, "permission"), (errno.EROFS, "read-only"), (errno.EIO, "Input/output")],
)
def test_a_system_error_becomes_one_sentence(tmp_path: Path, number: int, words: str) -> None:
    target = tmp_path / "file"
    with pytest.raises(PreprocessingError, match=words) as caught:
        write_half(target, OSError(number, "Input/output error"))
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_while_arrow_writes(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow: what Arrow raises then is a system error like any other."""
    script = """
import resource, signal, sys
from pathlib import Path
import pyarrow as pa
from preprocessing.errors import PreprocessingError
from preprocessing.shards.writer import write_table
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    write_table(Path(sys.argv[1]) / "table.arrow", pa.table({"x": range(100_000)}), {})
except PreprocessingError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot write ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PreprocessingError, match="is a file, not a folder"):
        write_text(tmp_path / "file" / "below", "x")
