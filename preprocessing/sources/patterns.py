"""What a path, a quoted pattern or a folder stands for: the only place where names on the command line become files.

A file's name in every output is its path relative to the fixed prefix of its pattern: for `dumps/**/*.bz2` the part
below `dumps/`, for a plain path its last component, for a folder the part below the folder.
"""

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from preprocessing.errors import PreprocessingError
from preprocessing.sources.remote_patterns import is_remote_folder, remote_files_below, remote_matches
from preprocessing.storage import is_remote, refuse_unknown_scheme

_CROSSES_FOLDERS = "**"


def expand(option: str, pattern: str) -> list[tuple[str, str]]:
    """(path, name) of every file that `pattern` stands for, sorted by name; folders are not among them.

    A pattern may hold `*`, `?`, `[...]` in each part and `**` for any number of folders; names that begin with a dot
    match only where the pattern's part does. Links to folders are followed, but no folder is looked through twice.
    A remote address gives the names that the same files would have on a disk. Raises PreprocessingError, naming
    `option`, for an address of another kind, for what is not there and for a pattern without a match.
    """
    refuse_unknown_scheme(option, pattern)
    remote = remote_matches(option, pattern) if is_remote(pattern) else None
    if remote is None and os.path.lexists(pattern):
        return [(pattern, os.path.basename(pattern))]
    if remote is None and not glob.has_magic(pattern):
        raise PreprocessingError(f"{option} {pattern}: there is no such file.")
    found = _by_name(remote) if remote is not None else _local_matches(pattern)
    if not found:
        raise PreprocessingError(f"{option} {pattern!r} matches no file; check the path and the quotes around it.")
    return found


def is_folder(option: str, text: str) -> bool:
    """Whether the text is the path of a folder."""
    refuse_unknown_scheme(option, text)
    return is_remote_folder(option, text) if is_remote(text) else os.path.isdir(text)


def files_below(folder: str, option: str = "--books") -> list[tuple[str, str]]:
    """The same for every file below a folder, hidden ones apart."""
    if is_remote(folder):
        return _by_name(remote_files_below(option, folder))
    return _sorted(_walk(folder, (_CROSSES_FOLDERS, "*")), folder)


def _local_matches(pattern: str) -> list[tuple[str, str]]:
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    prefix = str(Path(*parts[:fixed])) if fixed else "."
    return _sorted(_walk(prefix, parts[fixed:]), prefix)


def _sorted(paths: Iterator[str], prefix: str) -> list[tuple[str, str]]:
    named = {path: Path(os.path.relpath(path, prefix)).as_posix() for path in paths}
    return _by_name(named.items())


def _by_name(named: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(named, key=lambda item: (item[1], item[0]))


def _walk(prefix: str, parts: tuple[str, ...]) -> Iterator[str]:
    """Files that match the parts below `prefix`.

    Folders that are reached by links wait until all others were looked through: of several ways to one folder the
    plain one counts, whatever the order of the entries on this disk.
    """
    seen: set[tuple[int, int, tuple[str, ...]]] = set()
    waiting = [(prefix, parts)]
    while waiting:
        linked: list[tuple[str, tuple[str, ...]]] = []
        pending = waiting
        while pending:
            folder, rest = pending.pop()
            try:
                status = os.stat(folder)
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue  # as a shell's pattern does: what cannot be listed holds nothing
            place = (status.st_dev, status.st_ino, rest)
            if place in seen:
                continue
            seen.add(place)
            part, after = rest[0], rest[1:]
            if part == _CROSSES_FOLDERS and after:
                pending.append((folder, after))
            for entry in entries:
                is_folder = entry.is_dir()
                if part == _CROSSES_FOLDERS:
                    if entry.name.startswith("."):
                        continue
                    following = rest
                    if not after and not is_folder:
                        yield os.path.join(folder, entry.name)
                elif _matches(entry.name, part):
                    following = after
                    if not after and not is_folder:
                        yield os.path.join(folder, entry.name)
                else:
                    continue
                if is_folder and following:
                    (linked if entry.is_symlink() else pending).append((os.path.join(folder, entry.name), following))
        waiting = sorted(linked)[::-1]


def _matches(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))
