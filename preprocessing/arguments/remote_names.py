"""Addresses such as ``gs://bucket/shards``: refused wherever a path is asked for, or they would be local names.

`Path("gs://bucket/shards")` is the folder ``gs:/bucket/shards`` below the working directory, so without a word a build
would go there.
"""

import re
from collections.abc import Mapping
from typing import Any

from preprocessing.errors import PreprocessingError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# In options that need not be paths (a mirror's address may well be https) only what can be nothing but storage.
_STORAGE = re.compile(
    r"(?:gs|gcs|s3|s3a|s3n|hdfs|webhdfs|abfss?|adl|az|wasbs?|file|dbfs|oss|ssh|sftp):/+[^/]", re.IGNORECASE
)


def refuse_remote(option: str, path: str, error_class: type[Exception] = PreprocessingError) -> None:
    """Raises `error_class` when `path` is an address; `option` is how it was named."""
    if _ADDRESS.match(path):
        raise error_class(
            f"{option} {path}: remote addresses are not read or written directly; use a disk that every worker sees, "
            "or mount the bucket."
        )


def refuse_storage(values: Any, error_class: type[Exception], name: str = "") -> None:
    """The same for every text in `values` (nested mappings, sequences, paths) that names a storage service."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            refuse_storage(value, error_class, f"{name}.{key}" if name else str(key))
    elif isinstance(values, list | tuple):
        for value in values:
            refuse_storage(value, error_class, name)
    elif _STORAGE.match(str(values)):
        refuse_remote(f"--{name.replace('_', '-')}", str(values), error_class)
