"""What a user can mend, or what may pass by itself, said in one sentence."""

import errno
from collections.abc import Sequence

_FAULTS_NAMED = 20
_TRANSIENT = frozenset(
    {
        *(errno.EIO, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ENOMEM, errno.ENFILE, errno.EMFILE),
        *(errno.ESTALE, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENOTCONN, errno.ENOLINK),
        *(errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED),
        *(errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH),
    }
)


class PreprocessingError(Exception):
    """An input, a setting or a folder that the user can mend.

    The message is one sentence: what is wrong, where (file, offset, row), and what to do. Command lines print
    it to stderr and leave with `exit_code`, without a traceback.
    """

    exit_code = 2

    def __str__(self) -> str:
        return printable(super().__str__())


class TransientError(PreprocessingError):
    """Trouble that may pass by itself, as of a file server: the same again may well succeed."""

    exit_code = 75


def printable(text: str) -> str:
    """The text as a terminal may show it: what could steer one (names in an input may hold anything) is escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def of_system(error: OSError, sentence: str) -> PreprocessingError:
    """The error that says `sentence` about a system error: transient or not, as that is."""
    return (TransientError if error.errno in _TRANSIENT else PreprocessingError)(sentence)


def raise_all(faults: Sequence[PreprocessingError]) -> None:
    """Raises one error that names every fault, a line each where there are several; nothing where there is none."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        named = [f"  {fault}" for fault in faults[:_FAULTS_NAMED]]
        if len(faults) > _FAULTS_NAMED:
            named.append(f"  and {len(faults) - _FAULTS_NAMED} more.")
        passing = all(isinstance(fault, TransientError) for fault in faults)
        raise (TransientError if passing else PreprocessingError)("\n".join([f"{len(faults)} faults:", *named]))
