"""Fixtures that several test folders share."""

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent

# Nothing is timed in a test: the first example of one may compile, and the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write tests/end_to_end/golden/ anew instead of comparing with it; every test that writes is skipped",
    )
    text = "folder with what others published, as OWNER/NAME, to be run against ours by tests/peers/ (docs/peers.md)"
    parser.addoption("--peers", metavar="FOLDER", help=text)


@pytest.fixture(autouse=True)
def _logs_as_python_begins() -> None:
    """What a command makes of the logs is meant for its own process: here a later test waits for a warning."""
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)


ON_BOTH = (pytest.param("cuda", marks=pytest.mark.gpu), "cpu")


@pytest.fixture(params=ON_BOTH)
def device(request: pytest.FixtureRequest) -> Any:
    """A GPU, and then the CPU: what is written for a GPU runs in every run of the tests, so that none of it is first
    executed on a borrowed one. A `torch.device`.
    """
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device(request.param)


@pytest.fixture
def never_waits(device: Any) -> Callable[[], AbstractContextManager[None]]:
    """`with never_waits():` no operation inside makes the host wait for the GPU; on the CPU nothing is looked at."""

    @contextmanager
    def watched() -> Iterator[None]:
        import torch

        if device.type != "cuda":
            yield
            return
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return watched


RANK_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "LOCAL_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def _no_rank_is_left_behind() -> Iterator[None]:
    """A test that makes its own process a rank would make all processes that later tests start that rank."""
    before = {name: os.environ.get(name) for name in RANK_VARIABLES}
    yield
    left = [name for name in RANK_VARIABLES if os.environ.get(name) != before[name]]
    for name in left:
        os.environ.pop(name, None)
    assert not left, f"the test leaves {', '.join(left)} in the environment"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the repository (not part of it); tests that want it are skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder.name}/ beside the repository")
    return folder


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own on a real server of S3's protocol on this machine."""

    url: str
    name: str
    client: Any
    """boto3's, to look at the bucket past the code that is tested."""

    @property
    def options(self) -> tuple[str, ...]:
        """Beam's options that reach it."""
        keys = ("--s3_access_key_id=key", "--s3_secret_access_key=a-secret-of-the-tests")
        return (f"--s3_endpoint_url={self.url}", "--s3_region_name=us-east-1", *keys)

    def address(self, name: str = "") -> str:
        return f"s3://{self.name}/{name}"

    def put(self, name: str, content: bytes) -> str:
        self.client.put_object(Bucket=self.name, Key=name, Body=content)
        return self.address(name)

    def put_folder(self, folder: Path, name: str) -> None:
        """All files below a local folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def get(self, name: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=name)["Body"].read())

    def names(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of the server, for as long as the tests run."""
    server = pytest.importorskip("moto.server", reason="moto is not installed, so there is no S3 to test with")
    pytest.importorskip("boto3")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Empty, and this process reaches it."""
    import boto3

    from preprocessing.storage import options

    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="a-secret-of-the-tests",
    )
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    made = Bucket(s3_server, name, client)
    monkeypatch.setattr(options, "_in_use", options.StorageOptions(made.options))
    return made
