"""From what the user wrote (paths, patterns, folders) to input files that can be opened, all faults named at once."""

import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from preprocessing.errors import PreprocessingError, TransientError, of_system, printable, raise_all
from preprocessing.sources.patterns import expand, files_below, is_folder
from preprocessing.sources.text_files.suffixes import KINDS, kind_of
from preprocessing.storage import is_remote, open_file, status
from preprocessing.tally import storable

_NAMES_SHOWN = 5
BOOK_SUFFIXES = (".txt", ".epub", ".txt.gz", ".txt.zst", ".txt.bz2", ".txt.xz")


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read: `path` opens it, `name` stands for it in every output; `size` in bytes, `modified` in ns."""

    path: str
    name: str
    size: int
    modified: int = 0


def find_input_files(source: str, patterns: Iterable[str], *, skip_bad_files: bool = False) -> list[InputFile]:
    """All files that the patterns of one source match, sorted by name, each once.

    Files that a folder or a pattern of `--text` holds beside texts are in the list, with a size of 0, for the reader to
    count. Raises PreprocessingError when a pattern matches nothing, names a folder (books and text alone may), or
    reaches an empty, unreadable or special file (left in the list with `skip_bad_files`, for the reader to count), or
    when two files would have the same name.
    """
    by_name: dict[str, InputFile] = {}
    faults: list[PreprocessingError] = []
    for pattern in patterns:
        for path, name in _matches(source, pattern):
            try:
                is_other = is_no_text(source, name)
                found = InputFile(path, storable(name), 0) if is_other else check_file(source, path, name)
                name = found.name
            except PreprocessingError as fault:
                if not skip_bad_files or isinstance(fault, TransientError):
                    faults.append(fault)
                name = storable(name)
                found = InputFile(path, name, 0)
            other = by_name.setdefault(name, found)
            if other.path != path and not _is_one_file(other.path, path):
                raise PreprocessingError(
                    f"--{source}: {other.path} and {path} would both be called {name!r} in the shards; give one "
                    "quoted pattern that covers both, such as 'FOLDER/**/*', so that their folders tell them apart."
                )
    raise_all(faults)
    others = [name for name in by_name if is_no_text(source, name)]
    _say_what_is_left_out(source, others, "counted as dropped.not_text")
    return [by_name[name] for name in sorted(by_name)]


def _matches(source: str, pattern: str) -> list[tuple[str, str]]:
    if not is_folder(f"--{source}", pattern):
        found = expand(f"--{source}", pattern)
        return _texts(pattern, found) if source == "text" else found
    if source == "text":
        return _texts(pattern, files_below(pattern, "--text"))
    if source != "books":
        raise PreprocessingError(
            f"--{source} {pattern} is a folder; give a file or a quoted pattern such as '{pattern.rstrip('/')}/*'."
        )
    below = files_below(pattern)
    found = [(path, name) for path, name in below if name.lower().endswith(BOOK_SUFFIXES)]
    if not found:
        raise PreprocessingError(
            f"--books {pattern}: the folder holds no file ending in {', '.join(BOOK_SUFFIXES)}; "
            "give a pattern to read other names."
        )
    others = [name for _, name in below if not name.lower().endswith(BOOK_SUFFIXES)]
    _say_what_is_left_out("books", others, "a pattern reads other names")
    return found


def _say_what_is_left_out(source: str, names: list[str], rest: str) -> None:
    if names:
        shown = ", ".join(map(printable, sorted(names)[:_NAMES_SHOWN]))
        more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        print(
            f"preprocessing: --{source} leaves out files that by their suffixes are none of its own ({rest}): "
            f"{shown}{more}.",
            file=sys.stderr,
        )


def is_no_text(source: str, name: str) -> bool:
    """Whether a file is none of those that `--text` reads, by its name."""
    return source == "text" and not kind_of(name)


def _texts(pattern: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if all(is_no_text("text", name) for _, name in found):
        suffixes = ", ".join(KINDS)
        if [path for path, _ in found] == [pattern]:
            raise PreprocessingError(
                f"--text {pattern} does not end in one of {suffixes}; rename it, or use the option of its format."
            )
        raise PreprocessingError(
            f"--text {pattern}: there is no file that ends in one of {suffixes}; give another folder or pattern."
        )
    return found


def _is_one_file(path: str, other: str) -> bool:
    """Whether two names, by links, mean one file; different addresses never do."""
    return not (is_remote(path) or is_remote(other)) and os.path.samefile(path, other)


def check_file(source: str, path: str, name: str) -> InputFile:
    """The file, if there is one that holds something and can be opened; PreprocessingError, one sentence, if not."""
    try:
        # As it lies there: `name` may be spelt so that outputs can hold it.
        "/".join(path.split("/")[-1 - name.count("/") :]).encode()
    except UnicodeEncodeError as error:  # outputs name it
        raise PreprocessingError(
            f"--{source} {path!a}: the file's name is not UTF-8; rename it, leave it out, or pass --skip-bad-files."
        ) from error
    try:
        found = status(path)
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for its other end
            raise PreprocessingError(
                f"--{source} {path} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}, not a file; leave it out, "
                "or pass --skip-bad-files."
            )
        with open_file(path):
            pass
    except OSError as error:
        raise unreadable(source, path, error) from error
    if found.st_size == 0:
        raise PreprocessingError(
            f"--{source} {path} is an empty file; fetch it again, remove it, or pass --skip-bad-files."
        )
    return InputFile(path, name, found.st_size, found.st_mtime_ns)


_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def unreadable(source: str, path: str, error: OSError) -> PreprocessingError:
    """The one sentence for an input file that the system will not open or read."""
    return of_system(
        error,
        f"--{source} {path} cannot be read ({error.strerror or error}); mend that, leave it out, or pass "
        "--skip-bad-files.",
    )
