"""A local or a remote path of an option's text, and what is done alike to both.

Local paths go the way they always went: plain `open`, mapped files.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from preprocessing.storage import file_systems
from preprocessing.storage.addresses import is_remote, refuse_unknown_scheme
from preprocessing.storage.remote_path import RemotePath

if TYPE_CHECKING:
    import pyarrow as pa

Location = Path | RemotePath
_COPY_BYTES = 8 << 20
_LOADED_BYTES = 1 << 20


def location(text: str | Location, option: str = "") -> Location:
    """What a path names. PreprocessingError, naming `option`, for an address that cannot be read and written."""
    if not isinstance(text, str):
        return text
    if is_remote(text):
        return RemotePath(text)
    refuse_unknown_scheme(option or "The path", text)
    return Path(text)


def absolute(path: str) -> str:
    """The path as other working directories find it; an address is that already."""
    return path if is_remote(path) else os.path.abspath(path)


def open_file(path: str | Location, buffering: int = -1) -> BinaryIO:
    """The file's bytes, for reading and seeking. OSError where it cannot be opened."""
    if _is_remote(path):
        return file_systems.open_remote(str(path))
    return open(path, "rb", buffering=buffering)


def status(path: str | Location) -> os.stat_result:
    """As `os.stat`: kind, size, time. OSError where it is not there."""
    if _is_remote(path):
        return RemotePath(str(path)).stat()
    return os.stat(path)


@contextmanager
def arrow_source(path: str | Location) -> "Iterator[pa.NativeFile]":
    """The file as pyarrow reads ranges of it; nothing is mapped. OSError where it cannot be opened.

    Of a remote file each range is a request, so a small one is loaded in one.
    """
    import pyarrow as pa  # late: options are declared without it

    if not _is_remote(path):
        with pa.OSFile(str(path)) as source:
            yield source
        return
    with open_file(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if size <= _LOADED_BYTES:
            yield pa.BufferReader(stream.read())
        else:
            with pa.PythonFile(stream, "r") as source:
                yield source


def mapped_source(path: str | Location) -> "pa.NativeFile":
    """All of an Arrow file: a local one is mapped, a remote one loaded. OSError where it cannot be opened."""
    import pyarrow as pa

    if not _is_remote(path):
        return pa.memory_map(str(path))
    return pa.BufferReader(RemotePath(str(path)).read_bytes())


@contextmanager
def local_copy(path: str | Location) -> Iterator[Path]:
    """A local file with the same bytes, to be mapped, or read in any order: the file itself, if it is local.

    A copy of a remote file lies in the folder for temporary files (`TMPDIR`) until the block ends.
    """
    if not _is_remote(path):
        yield Path(path)  # type: ignore[arg-type]
        return
    with tempfile.TemporaryDirectory(prefix="preprocessing-") as folder:
        copy = Path(folder) / RemotePath(str(path)).name
        with file_systems.open_remote(str(path)) as stream, copy.open("wb") as target:
            shutil.copyfileobj(stream, target, _COPY_BYTES)
        yield copy


def _is_remote(path: str | Location) -> bool:
    return isinstance(path, RemotePath) or is_remote(str(path))
