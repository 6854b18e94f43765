"""What reading from S3 costs, against a server of its protocol on this machine.

    python -m benchmarks.remote_files

Needs the packages that the tests need (`moto`). The server is one Python process, so the figures say what this side
spends, not what a storage service can do.
"""

import contextlib
import importlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import benchmark_parser, run
from preprocessing.errors import PreprocessingError
from preprocessing.sources.identity import content_hash
from preprocessing.storage import RemotePath, use_arguments

KEYS = ("--s3_access_key_id=key", "--s3_secret_access_key=secret", "--s3_region_name=us-east-1")


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a server that runs as long as the block."""
    try:
        moto = importlib.import_module("moto.server")
    except ImportError as error:
        raise PreprocessingError(f"{error}; install what the tests need: pip install -e '.[dev]'.") from error
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


def measure(megabytes: int, repeats: int) -> dict[str, float]:
    """Milliseconds of one question about a small file, and MB/s of hashing a large one, here and there."""
    boto3 = importlib.import_module("boto3")
    boto3_client: Any = importlib.import_module("apache_beam.io.aws.clients.s3.boto3_client")
    of_beam = boto3_client.Client
    with server() as url, tempfile.TemporaryDirectory() as folder:
        use_arguments([f"--s3_endpoint_url={url}", *KEYS])
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="bucket")
        large = Path(folder) / "large"
        large.write_bytes(bytes(range(256)) * (megabytes << 12))
        client.upload_file(str(large), "bucket", "large")
        path = RemotePath("s3://bucket/large")
        path.stat()
        result = {"question_ms": 1000 * _seconds(path.stat, repeats)}
        shared = boto3_client.Client
        boto3_client.Client = of_beam
        result["question_without_sharing_ms"] = 1000 * _seconds(path.stat, repeats)
        boto3_client.Client = shared
        result["remote_mb_per_second"] = megabytes / _seconds(lambda: content_hash(path), 1)
        result["local_mb_per_second"] = megabytes / _seconds(lambda: content_hash(large), 1)
    return {name: round(value, 1) for name, value in result.items()}


def _seconds(work: Callable[[], Any], repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - begin) / repeats


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("remote_files", __doc__)
    parser.add_argument("--megabytes", type=int, default=256, help="size of the large file")
    parser.add_argument("--repeats", type=int, default=50, help="how often the small question is asked")
    return run(parser, lambda given: print(json.dumps(measure(given.megabytes, given.repeats))), argv)


if __name__ == "__main__":
    sys.exit(main())
