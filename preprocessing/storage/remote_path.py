"""A remote file or folder with the methods of `pathlib.Path` that this project uses."""

import errno
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any, Literal, overload

from preprocessing.storage import file_systems
from preprocessing.storage.faults import StorageError

_LIKE_A_FILE = stat.S_IFREG | 0o644


class RemotePath:
    """An address such as ``s3://bucket/a/b``; immutable, hashable, and means the same on every machine.

    A folder is there as long as a file is below it, so none is ever made. Every method that looks at the storage
    raises an `OSError` of `faults.py` where that cannot be used.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        scheme, _, rest = text.partition("://")
        self._text = f"{scheme}://{'/'.join(part for part in rest.split('/') if part)}"

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"RemotePath({self._text!r})"

    def __fspath__(self) -> str:
        # Or whatever takes a path would open a local file of that name.
        raise TypeError(f"{self._text} is no local file; it is opened by preprocessing.storage.open_file")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __lt__(self, other: "RemotePath") -> bool:
        return self.parts < other.parts

    def __truediv__(self, name: "str | PurePosixPath") -> "RemotePath":
        return RemotePath(f"{self._text}/{name}")

    @property
    def parts(self) -> tuple[str, ...]:
        """Scheme and bucket (server), and then a name a part."""
        scheme, _, rest = self._text.partition("://")
        bucket, *names = rest.split("/")
        return (f"{scheme}://{bucket}", *names)

    @property
    def name(self) -> str:
        return self.parts[-1] if len(self.parts) > 1 else ""

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        """The folder around it; of a bucket itself."""
        return RemotePath("/".join(self.parts[:-1])) if len(self.parts) > 1 else self

    @property
    def parents(self) -> "tuple[RemotePath, ...]":
        """The folders around it, from the inside."""
        return tuple(RemotePath("/".join(self.parts[:count])) for count in range(len(self.parts) - 1, 0, -1))

    def with_name(self, name: str) -> "RemotePath":
        return self.parent / name

    def with_suffix(self, suffix: str) -> "RemotePath":
        return self.with_name(PurePosixPath(self.name).with_suffix(suffix).name)

    def absolute(self) -> "RemotePath":
        return self

    def relative_to(self, folder: "RemotePath") -> PurePosixPath:
        """The names below `folder`. ValueError where it is not below it."""
        count = len(folder.parts)
        if self.parts[:count] != folder.parts:
            raise ValueError(f"{self} is not below {folder}")
        return PurePosixPath(*self.parts[count:])

    def is_file(self) -> bool:
        try:
            file_systems.status_of(self._text)
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Whether a file is below it."""
        return next(file_systems.files_with(self._text, limit=1), None) is not None

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def stat(self) -> os.stat_result:
        """As of a file: its size, and its time in whole seconds."""
        found = file_systems.status_of(self._text)
        seconds = found.modified // 10**9
        values = (_LIKE_A_FILE, 0, 0, 1, 0, 0, found.size, seconds, seconds, seconds)
        return os.stat_result(values, {"st_mtime": float(seconds), "st_mtime_ns": found.modified})

    def iterdir(self) -> "Iterator[RemotePath]":
        """Files and folders right below it, sorted; nothing where there is none."""
        names = {path.parts[len(self.parts)] for path in self.files()}
        return iter([self / name for name in sorted(names)])

    def files(self, head: str = "") -> "list[RemotePath]":
        """All files below it, at any depth, sorted; `head` is what the first name below begins with."""
        return sorted(RemotePath(found.address) for found in file_systems.files_with(self._text, head))

    def sizes(self) -> dict[str, int]:
        """By name relative to this folder the bytes of all files below it, at any depth, in few requests."""
        found = file_systems.files_with(self._text)
        return {file.address[len(self._text) + 1 :]: file.size for file in found}

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder is there when a file is."""

    def rmdir(self) -> None:
        """Nothing, as for an empty folder. OSError for one that holds something."""
        if self.is_dir():
            raise OSError(errno.ENOTEMPTY, "the folder is not empty", self._text)

    def unlink(self, missing_ok: bool = False) -> None:
        try:
            file_systems.delete(self._text)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def unlink_matching(self, pattern: re.Pattern[str]) -> None:
        """Removes the files right in this folder whose whole names match, in few requests."""
        # By the listing, which names files alone: a folder below may have a name that matches.
        beside = [path for path in self.files() if path.parent == self and pattern.fullmatch(path.name)]
        file_systems.delete_listed([str(path) for path in beside])

    def read_bytes(self) -> bytes:
        with self.open("rb") as stream:
            return stream.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    @overload
    def open(self, mode: Literal["rb"]) -> io.BufferedReader: ...
    @overload
    def open(
        self, mode: Literal["r"] = "r", *, encoding: str | None = None, newline: str | None = None
    ) -> io.TextIOWrapper: ...
    def open(self, mode: str = "r", *, encoding: str | None = None, newline: str | None = None) -> IO[Any]:
        """For reading; files are written by `preprocessing.atomic_file`."""
        if mode not in ("r", "rb"):
            raise StorageError(errno.EINVAL, f"remote files are not opened for {mode!r}", self._text)
        stream = file_systems.open_remote(self._text)
        return stream if mode == "rb" else io.TextIOWrapper(stream, encoding=encoding or "utf-8", newline=newline)
