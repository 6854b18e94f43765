"""Fixtures that several test folders share."""

import os
from collections.abc import Iterator
from pathlib import Path

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
