"""Addresses such as ``s3://bucket/shards``: which options take them, and a sentence where one does not.

An option takes them where its field says so (`json_schema_extra=REMOTE`), or its type is
`preprocessing.storage.location`; and only in a parser that was made with `remote=True`.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any

from preprocessing.errors import PreprocessingError
from preprocessing.storage import OPTION_NAMES, SCHEMES, RemotePath, is_address, refuse_unknown_scheme, use_arguments

REMOTE: dict[str, Any] = {"remote": True}
"""In the `json_schema_extra` of a field: its paths may be remote."""
# In options that need not be paths (a mirror's address may well be https) only what can be nothing but storage.
_STORAGE = re.compile(
    r"(?:gs|gcs|s3|s3a|s3n|hdfs|webhdfs|abfss?|adl|az|wasbs?|file|dbfs|oss|ssh|sftp):/+[^/]", re.IGNORECASE
)


def refuse_remote(option: str, path: str, error_class: type[Exception] = PreprocessingError) -> None:
    """Raises `error_class` when `path` is an address; `option` is how it was named."""
    if is_address(path):
        raise error_class(
            f"{option} {path}: this option takes no remote address; give a path on a local disk, and copy there first "
            "what is remote."
        )


def refuse_storage(
    values: Any, error_class: type[Exception], name: str = "", taken: Collection[str] = frozenset()
) -> None:
    """The same for every text in `values` (nested mappings, sequences, paths) that names a storage service.

    The options `taken` may be such addresses as are read and written.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            refuse_storage(value, error_class, f"{name}.{key}" if name else str(key), taken)
    elif isinstance(values, list | tuple):
        for value in values:
            refuse_storage(value, error_class, name, taken)
    elif not isinstance(values, RemotePath) and _STORAGE.match(str(values)):
        option = f"--{name.replace('_', '-')}"
        text = str(values).replace(":/", "://", 1) if isinstance(values, PurePath) else str(values)  # as it was given
        if name in taken:
            refuse_unknown_scheme(option, text)
        else:
            refuse_remote(option, text, error_class)


def add_storage_options(parser: Any) -> None:
    """Beam's options for remote files, for a command that has no pipeline and so none of Beam's other options."""
    addresses = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    group = parser.add_argument_group("remote files", f"options of Apache Beam for {addresses}")
    for name, text in OPTION_NAMES.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar="TEXT", help=text)


def use_storage_options(known: Any, rest: Collection[str]) -> None:
    """Takes what was given of them, or what is left for Beam, for the files that this process will read."""
    given = vars(known)
    ours = [f"--{name}={given[name]}" for name in OPTION_NAMES if given.get(name) is not None]
    use_arguments([*ours, *rest])
