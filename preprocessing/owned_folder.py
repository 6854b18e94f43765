"""Whose an output folder is: a program writes into an empty one or its own, and removes only what it named itself.

A folder belongs to the program whose marker lies in it. The marker is the first file that is written there, so that
a folder is never half taken.
"""

import re

from preprocessing.atomic_file import make_folder
from preprocessing.errors import PreprocessingError
from preprocessing.folder_lock import FolderLock
from preprocessing.storage import Location, RemoteLock, RemotePath

_TEMPORARY = r"\.tmp-\d+-\d+"  # as `atomic_file.replacing` names them
_NAMED = 3


def held_folder(folder: Location, marker: str, lock: str) -> FolderLock | RemoteLock:
    """The folder of a command's ``--output``, made where it is not there, to be held while the command writes into it.

    Raises PreprocessingError as `require_own` does.
    """
    require_own(folder, marker, lock)
    make_folder(folder)
    remedy = "give another --output"
    return RemoteLock(folder, lock, remedy) if isinstance(folder, RemotePath) else FolderLock(folder, lock, remedy)


def require_own(folder: Location, marker: str, lock: str) -> None:
    """Raises PreprocessingError, naming what lies there, unless `folder` is absent, empty, or has the `marker`.

    The file `lock` alone, of a start that was killed before its marker was written, makes no folder anybody else's.
    """
    if not folder.is_dir() or (folder / marker).is_file():
        return
    ours = re.compile(f"{re.escape(lock)}|{re.escape(marker)}{_TEMPORARY}")
    foreign = sorted(path.name for path in folder.iterdir() if not ours.fullmatch(path.name))
    if foreign:
        named = ", ".join(foreign[:_NAMED]) + (f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else "")
        raise PreprocessingError(
            f"--output {folder} is not empty and no {marker} says that it is this program's own (it holds {named}); "
            "give a new or an empty folder."
        )


def remove_own(folder: Location, names: str, *, temporary_only: bool = False) -> None:
    """Removes the files of `folder` whose whole name matches the expression `names`, and their temporary ones.

    Everything else stays, and so does what lies in folders below. Nothing happens where there is no such folder.
    """
    pattern = re.compile(f"(?:{names}){_TEMPORARY}" if temporary_only else f"(?:{names})(?:{_TEMPORARY})?")
    if isinstance(folder, RemotePath):
        folder.unlink_matching(pattern)
        return
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and not path.is_dir():
            path.unlink(missing_ok=True)
