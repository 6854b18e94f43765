"""Where the peers lie: the folder of `--peers`, with their repositories as OWNER/NAME below it."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """`peer("OWNER/NAME/FILE")` is the path of what must lie there; the test is skipped where nothing was brought."""
    given = request.config.getoption("--peers")
    folder = None if given is None else Path(given)
    if folder is not None and not folder.is_dir():
        pytest.fail(f"--peers {folder}: there is no such folder; docs/peers.md says what it holds.")

    def path_of(name: str) -> Path:
        if folder is None:
            pytest.skip("needs --peers FOLDER with what others published (docs/peers.md)")
        owner, repository, *_ = name.split("/")
        if not (folder / owner / repository).is_dir():
            pytest.skip(f"{owner}/{repository} is not in the folder of --peers (docs/peers.md)")
        path = folder / name
        assert path.exists(), f"{folder / owner / repository} has no {name}: docs/peers.md says which version is meant"
        return path

    return path_of
