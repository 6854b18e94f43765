"""Beam's options for remote files (keys, servers), in this process and on its way to the workers.

A pipeline sets them for Beam's file systems in the process that makes it, but the input is planned before there is a
pipeline, worker processes of the local engine read their options from a file, and workers of Dask get none. So they
travel to a worker with its work. They never go into a file or a hash.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

OPTION_NAMES = {
    "s3_endpoint_url": "address of the S3 service, where it is not Amazon's",
    "s3_region_name": "region of the S3 service",
    "s3_access_key_id": "key of the S3 service (default: as the environment and the configuration of AWS say)",
    "s3_secret_access_key": "secret of that key",
    "s3_session_token": "token of a session with the S3 service",
    "hdfs_host": "host of HDFS' name node",
    "hdfs_port": "port of its WebHDFS",
    "hdfs_user": "user of HDFS",
}
"""Options of Apache Beam that commands without a pipeline take too, and what they say."""


@dataclass(frozen=True)
class StorageOptions:
    """Options of Apache Beam as they stood on the command line."""

    arguments: tuple[str, ...] = field(default=(), repr=False)  # there may be keys among them

    def apply(self) -> None:
        """Makes them the options of this process, on a worker."""
        if self.arguments:
            use_arguments(self.arguments)


_in_use = StorageOptions()


def use_arguments(arguments: Sequence[str]) -> None:
    """Takes Beam's options for the remote files that this process will use; Beam is not imported yet."""
    global _in_use
    _in_use = StorageOptions(tuple(arguments))


def current_options() -> StorageOptions:
    """What this process uses, to be sent to workers."""
    return _in_use


def beam_file_systems() -> Any:
    """Beam's `FileSystems`, with the options of this process."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.value_provider import RuntimeValueProvider

    # Where Beam gave its worker process options of its own, those hold unless ours came with the work.
    told = FileSystems._pipeline_options or RuntimeValueProvider.runtime_options
    if _in_use.arguments or told is None:
        FileSystems.set_options(pipeline_options(_in_use))
    return FileSystems


@functools.lru_cache(maxsize=1)
def pipeline_options(options: StorageOptions) -> "PipelineOptions":
    """The same as Beam keeps them."""
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions(list(options.arguments))
