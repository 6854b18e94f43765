"""Workers' failures, told to the driver through files: the dead letters of a build.

An exception would reach the user as a runner's traceback, or be tried again and again by runners that retry: pointless
for what only the user can mend. So a worker writes the sentences down and gives back nothing; no new work is begun
while one lies there, and the driver raises all of them at the end. What may pass by itself is none of them: it is
raised, for the runner to try again.
"""

from collections.abc import Callable, Iterable

import xxhash

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError, TransientError, raise_all
from preprocessing.owned_folder import remove_own
from preprocessing.storage import Location

_FOLDER = "failures"
_NAMES = r"[0-9a-f]{16}\.txt"


def note_failures(folder: Location, faults: Iterable[PreprocessingError]) -> None:
    """Writes the sentences into `folder`; raises one where even that fails (a full disk)."""
    for fault in faults:
        text = str(fault)
        try:
            write_text(folder / _FOLDER / f"{xxhash.xxh3_64_hexdigest(text.encode())}.txt", text)
        except PreprocessingError:
            raise PreprocessingError(text) from None


def unless_failed(
    folder: Location, work: Callable[[], object], faults: Callable[[], Iterable[PreprocessingError]] = list
) -> bool:
    """Does `work`, unless some worker has failed; whether it was done and went well.

    A failure is written into `folder`, and with it what `faults` then finds, so that one run names all that is wrong.
    What may pass by itself is raised.
    """
    if has_failed(folder):
        return False
    try:
        work()
    except TransientError:
        raise
    except PreprocessingError as error:
        note_failures(folder, [*(fault for fault in faults() if str(fault) != str(error)), error])
        return False
    return True


def has_failed(folder: Location) -> bool:
    """Whether some worker failed."""
    return (folder / _FOLDER).is_dir()


def forget_failures(folder: Location) -> None:
    """Removes the notes of an earlier run."""
    if has_failed(folder):
        remove_own(folder / _FOLDER, _NAMES)
        (folder / _FOLDER).rmdir()


def raise_failures(folder: Location) -> None:
    """Raises what workers wrote down, if any did: one error that names every fault."""
    if has_failed(folder):
        texts = [path.read_text(encoding="utf-8") for path in (folder / _FOLDER).iterdir() if path.suffix == ".txt"]
        raise_all([PreprocessingError(text) for text in sorted(texts)])
