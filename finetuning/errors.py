"""Errors a user can mend, the exit codes that a launcher reads, and what else a command says."""

import errno
import logging
import sys

EXIT_USER_ERROR = 2
"""Exit code: the input or the options are wrong; running the same again cannot help."""

EXIT_RETRY = 75
"""Exit code (EX_TEMPFAIL): interrupted from outside; running the same again can help."""

EXIT_MEMORY = 137
"""Exit code: there was too little memory; the same again needs more of it. A shell says so of a process that the kernel
killed for its memory."""

INTERRUPTED = "interrupted: the same command again goes on where it stopped"
"""The last words of a command that a signal ended, with EXIT_RETRY."""


class FinetuningError(Exception):
    """Wrong input or options: one sentence saying what is wrong, where, and what to do."""

    exit_code = EXIT_USER_ERROR


class RetryableError(FinetuningError):
    """Nothing is wrong with the input: the disk is full, or the hub is away. The same again can succeed later."""

    exit_code = EXIT_RETRY


class MemoryShortageError(FinetuningError):
    """The machine or its device has too little memory for a run. The same again with as much cannot succeed."""

    exit_code = EXIT_MEMORY


_SHORTAGES = ("out of memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc", "ALLOC_FAILED")
"""How torch, CUDA's libraries, C++ and the system say it in a RuntimeError."""


def memory_shortage(error: BaseException) -> MemoryShortageError | None:
    """This package's error where a library's or the system's says that memory ran out; None where it says else."""
    text = str(error).strip().split("\n")[0]
    is_short = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if not is_short and not (isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORTAGES)):
        return None
    return MemoryShortageError(
        f"out of memory ({text or type(error).__name__}): give the run a machine or device with more, or a smaller "
        "--micro-batch-pieces, which leaves the batch as it is"
    )


_LASTING_ERRORS = (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError)
_LASTING_NUMBERS = (errno.EROFS, errno.ENAMETOOLONG, errno.EINVAL)


def can_retry(error: OSError) -> bool:
    """Whether the same call can succeed later (disk full, lost file system), unlike a wrong path or a permission."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    # Without a number it is no error of the system, but a library's, about what it was given.
    return error.errno is not None and not isinstance(error, _LASTING_ERRORS) and error.errno not in _LASTING_NUMBERS


def from_system(error: OSError, doing: str = "") -> FinetuningError:
    """This package's error for one of the system, retryable or not; `doing` says what failed."""
    what = f"{doing}: {error.strerror or error}" if doing else str(error)
    if can_retry(error):
        return RetryableError(f"{what}; free space or wait, then run the same again")
    return FinetuningError(f"{what}; correct that and run the same again")


def ended_by(error: FinetuningError | OSError, program: str = "error") -> int:
    """Say the one sentence of an error that ends a command; returns the exit code.

    After an error of the system, a full disk or a lost file system, nothing is half-written.
    """
    known = (memory_shortage(error) or from_system(error)) if isinstance(error, OSError) else error
    print(f"{program}: {known}", file=sys.stderr)
    return known.exit_code


def show_log(*, quiet: bool = False) -> None:
    """A command's log on standard error: what this package says, or with `quiet` its errors, and warnings of others."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("finetuning").setLevel(logging.ERROR if quiet else logging.INFO)
