"""Where files lie: on a disk that is mounted, or behind an address of S3, Google Cloud Storage or HDFS.

In: the text of an option. Out: a `pathlib.Path` or a `RemotePath` with the same methods (`locations.location`), and
for both the few things that differ: opening (`open_file`), size and time (`status`), a file that can be mapped
(`local_copy`). Remote files are read and written by Apache Beam's `FileSystems`, so what Beam's options say of keys
and servers holds (`options.py`); Beam is imported at the first remote name. What goes wrong is an `OSError` with the
number that a disk would give, and a sentence besides (`faults.py`). Open first: `locations.py`.
"""

from preprocessing.storage.addresses import SCHEMES, is_address, is_remote, refuse_unknown_scheme
from preprocessing.storage.file_systems import put_file
from preprocessing.storage.locations import (
    Location,
    absolute,
    arrow_source,
    local_copy,
    location,
    mapped_source,
    open_file,
    status,
)
from preprocessing.storage.options import OPTION_NAMES, StorageOptions, current_options, use_arguments
from preprocessing.storage.remote_lock import RemoteLock
from preprocessing.storage.remote_path import RemotePath

__all__ = [
    "OPTION_NAMES",
    "SCHEMES",
    "Location",
    "RemoteLock",
    "RemotePath",
    "StorageOptions",
    "absolute",
    "arrow_source",
    "current_options",
    "is_address",
    "is_remote",
    "local_copy",
    "location",
    "mapped_source",
    "open_file",
    "put_file",
    "refuse_unknown_scheme",
    "status",
    "use_arguments",
]
