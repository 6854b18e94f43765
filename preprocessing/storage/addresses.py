"""Addresses such as ``s3://bucket/shards``: which of them can be read and written.

`Path("gs://bucket/shards")` is the folder ``gs:/bucket/shards`` below the working directory, so without a word a build
would go there: whatever looks like an address is either remote or refused.
"""

import re
from dataclasses import dataclass

from preprocessing.errors import PreprocessingError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_REMOTE = re.compile(r"(gs|s3|hdfs)://+[^/]")


@dataclass(frozen=True)
class Scheme:
    """A kind of storage: how it is called, the extra of Apache Beam that speaks to it, and a module of that extra."""

    service: str
    extra: str
    module: str
    has_folders: bool = False
    """Folders are things of their own, and a file is seen while it is written."""


SCHEMES = {
    "gs": Scheme("Google Cloud Storage", "gcp", "google.cloud.storage"),
    "s3": Scheme("S3", "aws", "boto3"),
    "hdfs": Scheme("HDFS", "hadoop", "hdfs", has_folders=True),
}


def is_address(text: str) -> bool:
    """Whether the text is an address of any kind, and so no local path."""
    return _ADDRESS.match(text) is not None


def is_remote(text: str) -> bool:
    """Whether the text is an address that can be read and written."""
    return _REMOTE.match(text) is not None


def refuse_unknown_scheme(option: str, text: str) -> None:
    """Raises PreprocessingError for an address of another kind; `option` is how it was named."""
    if is_address(text) and not is_remote(text):
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise PreprocessingError(
            f"{option} {text}: of remote addresses only {known} are read and written; copy it there, or use a disk "
            "that every worker sees."
        )
