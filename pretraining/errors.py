"""What pretraining raises for a mistake that its user can mend, and for a failure that a retry may mend."""

import errno
import sys
from pathlib import Path

from preprocessing.atomic_file import writing_failed
from preprocessing.errors import PreprocessingError


class PretrainingError(Exception):
    """One clear sentence: what is wrong, where, what to do. The command line prints it and exits with `exit_code`."""

    exit_code = 2


class DamagedShardError(PretrainingError):
    """A file of shards is not as its manifest says. Ranks look at different files, so it may be one rank's alone."""


class RetryablePretrainingError(PretrainingError):
    """The same command may succeed later or elsewhere (a lost rank, a full disk); 75 is EX_TEMPFAIL."""

    exit_code = 75


class JoinError(RetryablePretrainingError):
    """The ranks did not meet in time, or were told to stop before: another start may find them all."""


class MismatchError(PretrainingError):
    """The ranks met and do not belong together, or one of them came twice."""


def not_written(error: PreprocessingError | OSError) -> PretrainingError:
    """The error of this package for a file that could not be written; retryable where the disk or the quota is full."""
    system = error if isinstance(error, OSError) else error.__cause__
    is_full = isinstance(system, OSError) and system.errno in (errno.ENOSPC, errno.EDQUOT)
    said = writing_failed(Path(error.filename or "a file"), error) if isinstance(error, OSError) else error
    return (RetryablePretrainingError if is_full else PretrainingError)(str(said))


def ended_by(error: PretrainingError | PreprocessingError | OSError) -> int:
    """Say the one sentence of an error that ends a command; returns the exit code."""
    known = error if isinstance(error, PretrainingError) else not_written(error)
    print(f"error: {known}", file=sys.stderr)
    return known.exit_code


_SHORTAGES = ("out of memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc", "ALLOC_FAILED")
"""How torch, CUDA's libraries, C++ and the system say it in a RuntimeError."""


def memory_shortage(error: BaseException) -> PretrainingError | None:
    """This package's error where a library's or the system's says that memory ran out; None where it says else."""
    is_short = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if not is_short and not (isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORTAGES)):
        return None
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return PretrainingError(
        f"out of memory ({text[:200]}); set a smaller training.micro_batch_size, which changes no result, or "
        "model.activation_checkpointing, and start again: the run goes on from its last checkpoint"
    )
