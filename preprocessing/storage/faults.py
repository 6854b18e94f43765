"""What goes wrong with remote files: an `OSError` as of a disk, and one sentence for the user at the same time.

Whoever reads files catches `OSError` and looks at `errno`; whoever catches nothing still ends with a sentence.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from preprocessing.errors import PreprocessingError, TransientError, printable

_NOT_FOUND, _DENIED = (404,), (401, 403)
_BUSY = (408, 425, 429)
_SERVER_ERROR = 500
_NO_KEYS = re.compile(
    r"unable to locate credentials|partial credentials|default credentials|token for|invalid_grant|"
    r"\.json was not found",
    re.IGNORECASE,
)
_IS_DENIED = re.compile(r"permission denied|access denied", re.IGNORECASE)
_IS_MISSING = re.compile(r"not found|does not exist", re.IGNORECASE)
_NO_ANSWER = re.compile(r"could not connect|connection|timed? ?out|timeout|temporary failure|reset|endpoint url", re.I)


class StorageError(PreprocessingError, OSError):
    """A remote file that cannot be used, and what to do. `errno` and `strerror` are those of a system error."""

    def __str__(self) -> str:
        # A runner may have made it anew of the sentence alone.
        return super().__str__() if self.filename is None else printable(f"{self.filename}: {self.strerror}.")


class MissingError(StorageError, FileNotFoundError):
    """A remote file that is not there."""


class DeniedError(StorageError, PermissionError):
    """A remote file that this user may not use."""


class StorageTransientError(TransientError, OSError):
    """Trouble of a storage service that may pass by itself."""

    def __str__(self) -> str:
        return super().__str__() if self.filename is None else printable(f"{self.filename}: {self.strerror}.")


@contextmanager
def told(address: str) -> Iterator[None]:
    """Whatever Beam or a client library raises in the block leaves it as one of the errors above."""
    try:
        yield
    except PreprocessingError:
        raise
    except Exception as error:  # each library has its own, and Beam wraps them in its own
        raise fault_of(address, error) from error


def fault_of(address: str, error: BaseException) -> OSError:
    """The error to raise for `error`, which came of using `address`."""
    cause = _root(error)
    text = _first_line(cause)
    code = _http_code(cause)
    if "NoSuchBucket" in text:
        # Of another kind than a missing file: whoever asks whether one is there must hear of it.
        return StorageError(errno.ENODEV, "there is no such bucket; check its name", address)
    if _NO_KEYS.search(text):
        reason = f"no keys were found ({text}); give them by Beam's options or as the storage service has it"
        return DeniedError(errno.EACCES, reason, address)
    if code in _NOT_FOUND or isinstance(cause, FileNotFoundError) or (code is None and _IS_MISSING.search(text)):
        return MissingError(errno.ENOENT, "there is no such file", address)
    if code in _DENIED or isinstance(cause, PermissionError) or (code is None and _IS_DENIED.search(text)):
        return DeniedError(errno.EACCES, f"access is denied ({text}); check the keys and what they may do", address)
    if code is not None and (code >= _SERVER_ERROR or code in _BUSY):
        return StorageTransientError(errno.EREMOTEIO, f"the storage service fails ({text}); try again later", address)
    if code is None and (isinstance(cause, ConnectionError | TimeoutError) or _NO_ANSWER.search(text)):
        reason = f"the storage service does not answer ({text}); check its address and the network, or try again later"
        return StorageTransientError(errno.EHOSTUNREACH, reason, address)
    return StorageError(errno.EINVAL, f"it cannot be used ({text}); check the address and Beam's options", address)


def _root(error: BaseException) -> BaseException:
    """What a client library raised, below what Beam made of it."""
    details = getattr(error, "exception_details", None)
    while isinstance(details, dict) and details:
        inner = next(iter(details.values()))
        if not isinstance(inner, BaseException):
            break
        error, details = inner, getattr(inner, "exception_details", None)
    return error


def _http_code(error: Any) -> int | None:
    for name in ("code", "status_code"):
        found = getattr(error, name, None)
        if isinstance(found, int):
            return int(found)
    return None


def _first_line(error: BaseException) -> str:
    message = str(getattr(error, "message", "") or error)
    return (message.splitlines() or [""])[0].rstrip(".") or type(error).__name__
