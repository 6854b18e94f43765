"""Patterns of remote names: the same files, by the same names, as the pattern would find on a disk."""

import fnmatch
import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.storage import RemotePath

_CROSSES_FOLDERS = "**"


def remote_matches(option: str, pattern: str) -> list[tuple[str, str]] | None:
    """(address, name below the fixed prefix) of the files that match, unsorted; None for a plain name that is absent.

    Raises PreprocessingError for a bucket that is a pattern, and what the storage raises, as one sentence.
    """
    path = RemotePath(pattern)
    if glob.has_magic(path.parts[0]):
        raise PreprocessingError(f"{option} {pattern}: a bucket is named, not matched; write its whole name.")
    with _naming(option, pattern):
        if path.is_file():
            return [(str(path), path.name)]
        if not glob.has_magic(pattern):
            return None
        fixed = next(index for index, part in enumerate(path.parts) if glob.has_magic(part))
        folder, parts = RemotePath("/".join(path.parts[:fixed])), path.parts[fixed:]
        head = parts[0][: next(index for index, character in enumerate(parts[0]) if character in "*?[")]
        found = ((str(file), file.relative_to(folder)) for file in folder.files(head))
        return [(address, name.as_posix()) for address, name in found if matches(name.parts, parts)]


def is_remote_folder(option: str, text: str) -> bool:
    """Whether the address, if it is no pattern, has files below it."""
    with _naming(option, text):
        return not glob.has_magic(text) and RemotePath(text).is_dir()


def remote_files_below(option: str, folder: str) -> list[tuple[str, str]]:
    """(address, name below the folder) of every file below it, hidden ones apart."""
    with _naming(option, folder):
        found = ((str(file), file.relative_to(RemotePath(folder))) for file in RemotePath(folder).files())
        return [(address, name.as_posix()) for address, name in found if matches(name.parts, (_CROSSES_FOLDERS, "*"))]


def matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a file, by the names of its folders and its own, matches a pattern part for part.

    `**` stands for any number of folders, as the last part for the file as well; names that begin with a dot match
    only where the pattern's part does.
    """
    if not parts:
        return not names
    if not names:
        return False
    part, after = parts[0], parts[1:]
    if part == _CROSSES_FOLDERS:
        if after and matches(names, after):
            return True
        if names[0].startswith("."):
            return False
        return matches(names[1:], parts) if len(names) > 1 else not after
    visible = part.startswith(".") or not names[0].startswith(".")
    return visible and fnmatch.fnmatchcase(names[0], part) and matches(names[1:], after)


@contextmanager
def _naming(option: str, text: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise of_system(error, f"{option} {text} cannot be read ({error.strerror or error}).") from error
