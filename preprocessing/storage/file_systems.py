"""What is done to remote files, each by one call of Apache Beam's `FileSystems`; errors are those of `faults.py`.

An address is read as bytes, whatever its name says of compression.
"""

import contextlib
import importlib.util
import io
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.storage.addresses import SCHEMES, Scheme
from preprocessing.storage.faults import fault_of, told
from preprocessing.storage.options import beam_file_systems
from preprocessing.storage.s3_client import check_bucket, share_client

_RAW = "uncompressed"
_BUFFER_BYTES = 1 << 20
_COPY_BYTES = 8 << 20
_PATTERN_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its storage lists it: `size` in bytes, `modified` in ns (0 where the storage does not say)."""

    address: str
    size: int
    modified: int


def open_remote(address: str) -> io.BufferedReader:
    """The file's bytes; may seek. Raises an OSError, here and while it is read."""
    with told(address):
        stream = _file_systems(address).open(address, compression_type=_RAW)
    return io.BufferedReader(_Told(address, stream), _BUFFER_BYTES)


def put_file(source: Path, address: str) -> None:
    """Writes a local file to the address, where it appears complete or not at all."""
    with source.open("rb") as stream:
        _put(stream, address)


def put_bytes(content: bytes, address: str) -> None:
    """The same for a few bytes."""
    _put(io.BytesIO(content), address)


def _put(source: BinaryIO, address: str) -> None:
    with told(address):
        systems = _file_systems(address)
        if not scheme_of(address).has_folders:
            _write(systems, source, address)
            return
        # A file of HDFS is seen while it is written, and nothing is renamed onto a file.
        temporary = f"{address}.tmp-{os.getpid()}-{time.monotonic_ns()}"
        _write(systems, source, temporary)
        if systems.exists(address):
            systems.delete([address])
        systems.rename([temporary], [address])


def status_of(address: str) -> RemoteFile:
    """Size and time of a file. FileNotFoundError where there is none."""
    with told(address):
        systems = _file_systems(address)
        found = _remote_file(systems.get_filesystem(address).metadata(address))
        if not found.size and scheme_of(address).has_folders and _folder_of_hdfs(systems, address) is not None:
            raise FileNotFoundError(address)
    return found


def files_with(folder: str, head: str = "", limit: int | None = None) -> Iterator[RemoteFile]:
    """The files below a folder, at any depth, whose address goes on with `head` after it; at most `limit` of them.

    Nothing where there is no such folder. PreprocessingError for a folder that Beam would take for a pattern.
    """
    if _PATTERN_CHARACTERS & set(folder + head):
        raise PreprocessingError(f"{folder}: a folder of remote files may have no *, ? or [ in its name; rename it.")
    prefix = folder.rstrip("/") + "/"
    with told(folder):
        systems = _file_systems(folder)
        if scheme_of(folder).has_folders:
            found = [file for file in _walk(systems, prefix) if file.address.startswith(prefix + head)]
            yield from found[:limit]
            return
        [result] = systems.match([f"{prefix}{head}**"], None if limit is None else [limit])
        # An object whose name ends in a slash is how consoles show an empty folder.
        for metadata in result.metadata_list:
            if not metadata.path.endswith("/"):
                if "//" in metadata.path.partition("://")[2]:
                    raise PreprocessingError(
                        f"{metadata.path}: a name with an empty part would be taken for another; rename it."
                    )
                yield _remote_file(metadata)


def delete(address: str) -> None:
    """Removes a file. FileNotFoundError where there is none."""
    if _PATTERN_CHARACTERS & set(address):
        raise PreprocessingError(f"{address}: Beam would take the name for a pattern; rename it.")
    status_of(address)  # Beam would remove a folder with all that is in it
    with told(address):
        _file_systems(address).delete([address])


def delete_listed(addresses: Sequence[str]) -> None:
    """Removes files of one storage that a listing named just now: of S3 and Google a thousand in a request.

    One that is gone meanwhile is no error. What the listing did not say to be a file must not be given: Beam would
    remove a folder with all that is in it.
    """
    if not addresses:
        return
    if patterns := [address for address in addresses if _PATTERN_CHARACTERS & set(address)]:
        raise PreprocessingError(f"{patterns[0]}: Beam would take the name for a pattern; rename it.")
    with told(addresses[0]):
        _file_systems(addresses[0]).delete(list(addresses))


def scheme_of(address: str) -> Scheme:
    """The kind of storage of an address."""
    return SCHEMES[address.partition("://")[0]]


def _file_systems(address: str) -> Any:
    """Beam's `FileSystems`. PreprocessingError where the extra that the address needs is not installed."""
    scheme = scheme_of(address)
    if not _is_installed(scheme.module):
        raise PreprocessingError(
            f"{address}: for {scheme.service} Apache Beam needs its extra {scheme.extra}, which is not installed; "
            f"pip install 'apache-beam[{scheme.extra}]'."
        )
    systems = beam_file_systems()
    if scheme is SCHEMES["s3"]:
        share_client()
        check_bucket(address)
    return systems


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def _write(systems: Any, source: BinaryIO, address: str) -> None:
    stream = systems.create(address, compression_type=_RAW)
    try:
        shutil.copyfileobj(source, stream, _COPY_BYTES)
        stream.close()
    except BaseException:
        _abandon(stream)
        raise


def _abandon(stream: Any) -> None:
    """Beam's stream completes what was uploaded when it is closed, also by the garbage collector: not this one."""
    uploader = getattr(getattr(stream, "raw", None), "_uploader", None)
    if uploader is not None:
        uploader.finish = lambda: None
        with contextlib.suppress(Exception):
            stream.close()
    elif hasattr(stream, "terminate"):  # that of Google's library
        with contextlib.suppress(Exception):
            stream.terminate()
        stream.close = lambda: None


def _remote_file(metadata: Any) -> RemoteFile:
    # Whole seconds: more of them a listing tells than the file itself does.
    return RemoteFile(metadata.path, int(metadata.size_in_bytes), int(metadata.last_updated_in_seconds or 0) * 10**9)


def _walk(systems: Any, folder: str) -> Iterator[RemoteFile]:
    """The files below a folder of HDFS, which Beam lists no deeper than one level."""
    for file in _folder_of_hdfs(systems, folder) or ():
        below = None if file.size else _folder_of_hdfs(systems, file.address)
        if below is None:
            yield file
        elif below:
            yield from _walk(systems, file.address)


def _folder_of_hdfs(systems: Any, address: str) -> list[RemoteFile] | None:
    """What lies right in a folder; None for a file and for what is not there, as Beam tells neither from a folder."""
    try:
        [result] = systems.match([f"{address.rstrip('/')}/*"])
    except OSError as error:
        # One that may not be listed is there: taken for absent, what is in it would be missing without a word.
        if isinstance(fault_of(address, error), TransientError | PermissionError):
            raise
        return None
    return [_remote_file(metadata) for metadata in sorted(result.metadata_list, key=lambda found: str(found.path))]


class _Told(io.RawIOBase):
    """Beam's stream, whose errors are said as ours."""

    def __init__(self, address: str, stream: Any) -> None:
        self._address, self._held = address, stream
        # Beam reads S3 16 MiB at a time, but the connection goes on where it stopped, so a few bytes cost no more.
        self._stream = stream.raw if address.startswith("s3:") and hasattr(stream, "raw") else stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with told(self._address):
            return int(self._stream.readinto(buffer) or 0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with told(self._address):
            self._stream.seek(offset, whence)
            return int(self._stream.tell())

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(Exception):  # nothing is lost by it
                self._held.close()
        super().close()
