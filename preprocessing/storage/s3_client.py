"""Two things that Beam's client of S3 lacks: it is made once a process, and says at once that it cannot work."""

import threading
from typing import Any

from preprocessing.storage.options import StorageOptions, current_options, pipeline_options

_NOT_FOUND = 404
_lock, _sharing = threading.Lock(), threading.Lock()
_is_shared: list[bool] = []
_made: dict[str, Any] = {}
"""The options of the client that was made last, and that client."""


def check_bucket(address: str) -> None:
    """Lists something of the bucket, once a process. Raises what Beam's client raises, for `faults.told`.

    Beam tries again for ten minutes where keys are missing or nobody answers, and takes a missing bucket for an empty
    one.
    """
    _, _, bucket, *key = address.split("/", 3)
    if (bucket, current_options()) not in _checked:
        _check(bucket, key[0] if key else "", current_options())
        _checked.add((bucket, current_options()))


_checked: set[tuple[str, StorageOptions]] = set()


def _check(bucket: str, prefix: str, options: StorageOptions) -> None:
    from apache_beam.io.aws.clients.s3 import boto3_client
    from apache_beam.io.aws.clients.s3.messages import ListRequest, S3ClientError

    try:
        boto3_client.Client(options=pipeline_options(options)).list(ListRequest(bucket=bucket, prefix=prefix))
    except S3ClientError as error:
        # Beam's client has this code of its own for a bucket without such objects.
        if error.code != _NOT_FOUND or "NoSuchBucket" in str(error):
            raise


def share_client() -> None:
    """Beam makes a client for every single operation; from now on each takes over the connections of the first.

    Without this a question about a small file took some fifty times as long on a busy machine, most of it to make the
    client (`python -m benchmarks.remote_files`).
    """
    with _sharing:
        if not _is_shared:
            _share()
            _is_shared.append(True)


def _share() -> None:
    from apache_beam.io.aws.clients.s3 import boto3_client

    of_beam = boto3_client.Client

    class SharedClient(of_beam):  # type: ignore[misc, valid-type]
        """Beam's client; each has its own place in the file that it reads."""

        def __init__(self, options: Any) -> None:
            with _lock:
                if _made.get("options") is not options:
                    _made.update(options=options, client=of_beam(options))
                self.__dict__.update(_made["client"].__dict__)

    setattr(boto3_client, "Client", SharedClient)  # noqa: B010 - to the type checker a class is no variable
