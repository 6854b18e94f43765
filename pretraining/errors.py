"""What pretraining raises for a mistake that its user can mend, and for a failure that a retry may mend."""

import errno
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
