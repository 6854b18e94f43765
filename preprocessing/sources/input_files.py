"""From what the user wrote (paths, globs, folders) to input files with names that do not depend on the machine.

A file's name is its path relative to the fixed prefix of its pattern: for `dumps/**/*.bz2` the part below `dumps/`, for
a plain path its last component, for a folder the part below the folder.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from preprocessing.errors import PreprocessingError

BOOK_SUFFIXES = (".txt", ".epub", ".txt.gz", ".txt.zst", ".txt.bz2", ".txt.xz")


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read: `path` opens it, `name` stands for it in every output; `size` in bytes."""

    path: str
    name: str
    size: int


def find_input_files(source: str, patterns: Iterable[str], *, skip_bad_files: bool = False) -> list[InputFile]:
    """All files that the patterns of one source match, sorted by name, each once.

    Raises PreprocessingError when a pattern matches nothing, names a folder (books alone may), or reaches an empty
    or unreadable file (left in the list with `skip_bad_files`, for the reader to count), or when two files would
    have the same name.
    """
    by_name: dict[str, InputFile] = {}
    for pattern in patterns:
        if "://" in pattern:
            raise PreprocessingError(
                f"--{source} {pattern}: remote addresses are not read directly; copy the file to a disk that "
                "every worker sees, or mount the bucket."
            )
        for path, name in _matches(source, pattern):
            found = _checked(source, path, name, skip_bad_files)
            other = by_name.setdefault(name, found)
            if other.path != path and not os.path.samefile(other.path, path):
                raise PreprocessingError(
                    f"--{source}: {other.path} and {path} would both be called {name!r} in the shards; give one "
                    "quoted pattern that covers both, such as 'FOLDER/**/*', so that their folders tell them apart."
                )
    return [by_name[name] for name in sorted(by_name)]


def _matches(source: str, pattern: str) -> Iterator[tuple[str, str]]:
    if os.path.isdir(pattern):
        if source != "books":
            raise PreprocessingError(
                f"--{source} {pattern} is a folder; give a file or a quoted pattern such as '{pattern.rstrip('/')}/*'."
            )
        yield from _folder(pattern)
        return
    if os.path.lexists(pattern):
        yield pattern, os.path.basename(pattern)
        return
    if not glob.has_magic(pattern):
        raise PreprocessingError(f"--{source} {pattern}: there is no such file.")
    prefix = _fixed_prefix(pattern)
    files = [path for path in glob.glob(pattern, recursive=True) if not os.path.isdir(path)]
    if not files:
        raise PreprocessingError(f"--{source} {pattern!r} matches no file; check the path and the quotes around it.")
    for path in files:
        yield path, Path(os.path.relpath(path, prefix)).as_posix()


def _folder(folder: str) -> Iterator[tuple[str, str]]:
    found = [
        (os.path.join(root, name), Path(os.path.relpath(os.path.join(root, name), folder)).as_posix())
        for root, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(BOOK_SUFFIXES)
    ]
    if not found:
        raise PreprocessingError(
            f"--books {folder}: the folder holds no file ending in {', '.join(BOOK_SUFFIXES)}; "
            "give a pattern to read other names."
        )
    yield from found


def _fixed_prefix(pattern: str) -> str:
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:fixed])) if fixed else "."


def _checked(source: str, path: str, name: str, skip_bad_files: bool) -> InputFile:
    try:
        with open(path, "rb"):
            size = os.stat(path).st_size
    except OSError as error:
        if not skip_bad_files:
            raise unreadable(source, path, error) from error
        size = 0
    else:
        if size == 0 and not skip_bad_files:
            raise empty_file(source, path)
    return InputFile(path, name, size)


def empty_file(source: str, path: str) -> PreprocessingError:
    """The one sentence for an input file of no bytes."""
    return PreprocessingError(
        f"--{source} {path} is an empty file; fetch it again, remove it, or pass --skip-bad-files."
    )


def unreadable(source: str, path: str, error: OSError) -> PreprocessingError:
    """The one sentence for an input file that the system will not open or read."""
    return PreprocessingError(
        f"--{source} {path} cannot be read ({error.strerror or error}); mend that, leave it out, or pass "
        "--skip-bad-files."
    )
