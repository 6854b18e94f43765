"""Files that are either complete or absent."""

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.storage import Location, RemotePath, put_file

_REASONS = {
    errno.ENOSPC: "no space is left on the device; free some and run the same command again, what is complete is kept",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again, what is complete is kept",
    errno.EACCES: "permission is denied; choose a folder that you may write to",
    errno.EPERM: "permission is denied; choose a folder that you may write to",
    errno.EROFS: "the file system is read-only; choose a folder that you may write to",
    errno.ENOTDIR: "a part of that path is a file, not a folder; choose another output folder",
    errno.EEXIST: "a part of that path is a file, not a folder; choose another output folder",
}


@contextmanager
def replacing(target: Location) -> Iterator[Path]:
    """Yields a temporary path beside `target`, which becomes `target` when the block ends well.

    On any failure the temporary file is removed and `target` stays as it was. A system error that the user can
    mend (disk full, no permission) is raised as a `PreprocessingError` that names the target. For a remote target the
    temporary file is local, and sent when the block ends.
    """
    if isinstance(target, RemotePath):
        with _sending(target) as temporary:
            yield temporary
        return
    temporary = target.with_name(f"{target.name}.tmp-{os.getpid()}-{time.monotonic_ns()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except PreprocessingError:  # of something else, as of a remote file that the block reads
        raise
    except OSError as error:
        raise writing_failed(target, error) from error
    finally:
        with suppress(OSError):  # it is gone after a success, and may never have been
            temporary.unlink()


@contextmanager
def _sending(target: RemotePath) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="preprocessing-") as folder:
        temporary = Path(folder) / target.name
        try:
            yield temporary
        except PreprocessingError:
            raise
        except OSError as error:
            raise writing_failed(temporary, error) from error
        try:
            put_file(temporary, str(target))
        except OSError as error:
            raise writing_failed(target, error) from error


def write_text(target: Location, text: str) -> None:
    """Writes UTF-8 text to `target`, completely or not at all."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(folder: Location) -> None:
    """Makes a folder and its parents, unless they are there. PreprocessingError when that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise writing_failed(folder, error) from error


def writing_failed(target: Location, error: OSError) -> PreprocessingError:
    """The one sentence for a system error while writing `target`."""
    mended = f"{error.strerror or error}; mend that and run the same command again"
    reason = mended if isinstance(error, PreprocessingError) else _REASONS.get(error.errno or 0, mended)
    return of_system(error, f"Cannot write {target}: {reason}.")
