"""A worker's failure, told to the driver through a file.

An exception would reach the user as a runner's traceback, or be tried again and again by runners that retry: pointless
for what only the user can mend. So a worker writes the sentence down and gives back nothing; work that depends on the
whole is left undone while a note lies there, and the driver raises it at the end.
"""

from pathlib import Path

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError

_NAME = "failure.txt"


def note_failure(folder: Path, error: PreprocessingError) -> None:
    """Writes the sentence into `folder`; raises it where even that fails (a full disk)."""
    try:
        write_text(folder / _NAME, str(error))
    except PreprocessingError:
        raise PreprocessingError(str(error)) from None


def has_failed(folder: Path) -> bool:
    """Whether some worker failed."""
    return (folder / _NAME).is_file()


def forget_failure(folder: Path) -> None:
    """Removes the note of an earlier run."""
    (folder / _NAME).unlink(missing_ok=True)


def raise_failure(folder: Path) -> None:
    """Raises what a worker wrote down, if any did."""
    if has_failed(folder):
        raise PreprocessingError((folder / _NAME).read_text(encoding="utf-8"))
