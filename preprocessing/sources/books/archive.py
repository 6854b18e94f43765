"""The zip archive of an EPUB: members found as reading systems find them, read within limits, never unpacked to disk.

Names that leave the archive are refused; sizes are limited while reading, whatever the archive's directory claims. A
member that cannot be read is a fault of that member alone.
"""

import errno
import posixpath
import re
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from preprocessing.errors import PreprocessingError

_LONGEST_DIRECTORY = 20_000
_DIRECTORY_BYTES = 8 << 20  # of these, zipfile makes some 16 times as many of its own
_END_BYTES = (1 << 16) + 200
_READ_BYTES = 1 << 16
_LONGEST_NAME = 4096
# The container's specification allows no others, and xz's would take as much memory as the member says.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError),
    *(struct.error, OverflowError, IndexError),
)


class MemberError(Exception):
    """A member that cannot be read: `kind` is the word under which it is counted."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def not_epub(name: str, reason: str) -> PreprocessingError:
    """The one sentence for a book that cannot be read at all."""
    return PreprocessingError(f"{name} is not a readable EPUB book ({reason}); repair it or leave it out.")


class Archive:
    """The members of a book. `name` is for messages; `limit_bytes` bounds the sum of all that is unpacked.

    Raises PreprocessingError when the file is no zip archive, or one with more members than a book has.
    """

    def __init__(self, path: str | Path, name: str, limit_bytes: int) -> None:
        self.name = name
        self._limit = self._left = limit_bytes
        try:
            _check_directory(path)
            self.zip = zipfile.ZipFile(path)
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):
                raise
            raise not_epub(name, str(error)) from error
        except _BROKEN as error:
            raise not_epub(name, str(error)) from error
        if len(self.zip.infolist()) > _LONGEST_DIRECTORY:
            raise not_epub(name, f"it holds {len(self.zip.infolist())} files")
        self._loose: dict[str, str] = {}
        for info in self.zip.infolist():
            for spelled in _spellings(info):
                self._loose.setdefault(_folded(spelled), info.filename)

    def names(self) -> list[str]:
        """All members, in the order of the directory."""
        return self.zip.namelist()

    def find(self, base: str, reference: str) -> str | None:
        """The member that `reference` means in the member `base`; None where there is none.

        Percent signs, backslashes, case and Unicode's normal forms decide only where the exact name is not there.
        Raises MemberError for a reference that leaves the archive, or is longer than any path.
        """
        if len(reference) > _LONGEST_NAME:
            raise MemberError("missing", f"its name of {len(reference):,} characters is no file's")
        plain = reference.strip().split("#")[0].split("?")[0]
        if _SCHEME.match(plain):
            raise MemberError("outside", f"{reference!r} points outside the archive")
        paths, base = [], base.replace("\\", "/")
        for spelled in (unquote(plain), plain):
            spelled = spelled.replace("\\", "/")
            joined = spelled.lstrip("/") if spelled.startswith("/") else f"{posixpath.dirname(base)}/{spelled}"
            paths.append(posixpath.normpath(joined.lstrip("/")))
        for path in paths:
            if path == ".." or path.startswith("../"):
                raise MemberError("outside", f"{reference!r} points outside the archive")
            if path in self.zip.NameToInfo:
                return path
        return next((self._loose[_folded(path)] for path in paths if _folded(path) in self._loose), None)

    def read(self, member: str, limit_bytes: int) -> bytes:
        """All bytes of a member. Raises MemberError where they cannot be had, or are more than `limit_bytes`.

        Raises PreprocessingError where with them the archive has unpacked to more than its own limit.
        """
        parts = []
        try:
            info = self.zip.getinfo(member)
            if info.flag_bits & 1:
                raise MemberError("encrypted", "it is encrypted by a password")
            if info.compress_type not in _METHODS:
                raise MemberError("damaged", f"it is compressed by method {info.compress_type}, which no EPUB has")
            if info.file_size > limit_bytes:  # zipfile gives no more than the directory says
                size, limit = info.file_size / (1 << 20), limit_bytes / (1 << 20)
                reason = f"it unpacks to {size:.1f} MiB, and more than {limit:.1f} MiB are not read"
                raise MemberError("too_large", reason)
            with self.zip.open(info) as stream:
                while part := stream.read(min(_READ_BYTES, self._left + 1)):
                    self._left -= len(part)
                    if self._left < 0:
                        raise PreprocessingError(
                            f"{self.name} unpacks to more than {self._limit / (1 << 20):.0f} MiB; it may be a zip "
                            "bomb: leave it out, or raise --books.unpacked-limit-bytes."
                        )
                    parts.append(part)
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):
                raise
            raise MemberError("damaged", str(error)) from error
        except _BROKEN as error:
            raise MemberError("damaged", str(error) or type(error).__name__) from error
        return b"".join(parts)

    def size(self, member: str) -> int:
        """Bytes of the member, as the directory has them."""
        return self.zip.getinfo(member).file_size if member in self.zip.NameToInfo else 0


def _spellings(info: zipfile.ZipInfo) -> list[str]:
    """The name as zipfile reads it, and as UTF-8 where the archive does not say that it is."""
    if info.filename.isascii() or info.flag_bits & 0x800:
        return [info.filename]
    try:
        return [info.filename, info.filename.encode("cp437").decode("utf-8")]
    except UnicodeError:
        return [info.filename]


def _folded(name: str) -> str:
    path = posixpath.normpath(unquote(name).replace("\\", "/").lstrip("/"))
    return unicodedata.normalize("NFC", path).casefold()


def _check_directory(path: str | Path) -> None:
    """Raises BadZipFile before an archive's directory of millions of members is read."""
    with open(path, "rb") as stream:
        size = stream.seek(0, 2)
        if size <= _DIRECTORY_BYTES:
            return
        stream.seek(max(0, size - _END_BYTES))
        end = stream.read()
    found = end.rfind(b"PK\5\6")
    claimed = int.from_bytes(end[found + 12 : found + 16], "little") if found >= 0 else 0
    if claimed == 0xFFFFFFFF:
        found = end.rfind(b"PK\6\6")
        claimed = int.from_bytes(end[found + 40 : found + 48], "little") if found >= 0 else claimed
    if claimed > _DIRECTORY_BYTES:
        raise zipfile.BadZipFile(f"its directory takes {claimed / (1 << 20):.0f} MiB")
