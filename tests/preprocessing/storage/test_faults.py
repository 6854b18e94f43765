"""What client libraries raise, as an error of the system and as a sentence."""

import errno
import pickle
import re

import pytest

from preprocessing.errors import PreprocessingError, TransientError, of_system
from preprocessing.storage.faults import fault_of, told


class LibraryError(Exception):
    """As S3's, Google's and HDFS' own: some have a code."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class BeamError(OSError):
    """As Beam wraps them: by what it was about."""

    def __init__(self, message: str, details: object = None) -> None:
        super().__init__(message)
        self.exception_details = details


@pytest.mark.parametrize(
    ("error", "number", "transient", "sentence"),
    [
        (LibraryError("Not Found", 404), errno.ENOENT, False, "there is no such file."),
        (BeamError("File not found: hdfs://n/x"), errno.ENOENT, False, "there is no such file."),
        (LibraryError("File /x does not exist."), errno.ENOENT, False, "there is no such file."),
        (
            LibraryError("(NoSuchBucket) The bucket", 404),
            errno.ENODEV,
            False,
            "there is no such bucket; check its name.",
        ),
        (LibraryError("Forbidden", 403), errno.EACCES, False, "access is denied (Forbidden); check the keys"),
        (LibraryError("Unable to locate credentials"), errno.EACCES, False, "no keys were found (Unable"),
        (LibraryError("Your default credentials were not found."), errno.EACCES, False, "no keys were found"),
        (LibraryError("Token for default does not exist"), errno.EACCES, False, "no keys were found (Token"),
        (LibraryError("File /k.json was not found."), errno.EACCES, False, "no keys were found (File"),
        (LibraryError("Service Unavailable", 503), errno.EREMOTEIO, True, "the storage service fails (Service"),
        (
            LibraryError("Slow down", 429),
            errno.EREMOTEIO,
            True,
            "the storage service fails (Slow down); try again",
        ),
        (ConnectionResetError("reset by peer"), errno.EHOSTUNREACH, True, "does not answer (reset by peer)"),
        (LibraryError("Could not connect to the endpoint URL"), errno.EHOSTUNREACH, True, "does not answer"),
        (
            LibraryError("hdfs_host is not set"),
            errno.EINVAL,
            False,
            "it cannot be used (hdfs_host is not set)",
        ),
        (LibraryError("Bad Request\nand more", 400), errno.EINVAL, False, "it cannot be used (Bad Request); check the"),
        (ValueError(), errno.EINVAL, False, "it cannot be used (ValueError)"),
    ],
)
def test_errors_are_those_of_a_disk(error: Exception, number: int, transient: bool, sentence: str) -> None:
    wrapped = BeamError("Match operation failed", {"pattern": BeamError("exists() operation failed", {"x": error})})
    for raised in (error, wrapped):
        fault = fault_of("s3://b/x", raised)
        assert fault.errno == number
        assert isinstance(fault, PreprocessingError)
        assert isinstance(fault, TransientError) is transient
        assert re.match(rf"s3://b/x: (the storage service )?{re.escape(sentence.rstrip('.'))}.*\.$", str(fault)), str(
            fault
        )
        assert isinstance(of_system(fault, "said otherwise"), TransientError) is transient
        copy = pickle.loads(pickle.dumps(fault))
        assert (type(copy), str(copy)) == (type(fault), str(fault))
    assert isinstance(fault, FileNotFoundError) is (number == errno.ENOENT)
    assert isinstance(fault, PermissionError) is (number == errno.EACCES)


@pytest.mark.parametrize("error", [LibraryError("Not Found", 404), LibraryError("Down", 503)])
def test_a_runner_may_make_an_error_anew_of_its_sentence(error: Exception) -> None:
    fault = fault_of("s3://b/x\x1b", error)
    again = type(fault)(f"{fault} [while running 'Extract']")
    assert str(again) == f"{fault} [while running 'Extract']"
    assert "\x1b" not in str(fault)


def test_a_sentence_of_ours_stays() -> None:
    with pytest.raises(PreprocessingError, match=r"^as it was$"), told("s3://b/x"):
        raise PreprocessingError("as it was")
    with pytest.raises(KeyboardInterrupt), told("s3://b/x"):
        raise KeyboardInterrupt
