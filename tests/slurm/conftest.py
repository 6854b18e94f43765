"""The cluster on which the tests here run jobs: a real Slurm whose nodes are namespaces of this machine.

`make test-slurm` runs these tests; it sets SLURM_TESTS=1, without which they are skipped. They take minutes, and need
root and Debian's packages slurm-wlm, munge and iproute2: where these are missing they fail, and are not skipped.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, why_no_slurm


@pytest.fixture(scope="module")
def slurm_settings() -> Mapping[str, str | int]:
    """Lines of slurm.conf that a file of tests wants otherwise: it has a fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def nodes() -> int:
    """How many nodes: a file of tests that wants more has a fixture of this name."""
    return 2


@pytest.fixture(scope="module")
def cluster(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, slurm_settings: Mapping[str, str | int], nodes: int
) -> Iterator[Cluster]:
    """A Slurm for the tests of one file."""
    if os.environ.get("SLURM_TESTS") != "1":
        pytest.skip("`make test-slurm` runs it")
    if reason := why_no_slurm():
        pytest.fail(f"Slurm cannot be started here: {reason}")
    made = Cluster(tmp_path_factory.mktemp("slurm"), repository, nodes, slurm_settings)
    try:
        made.start()
        yield made
    finally:
        made.stop()
