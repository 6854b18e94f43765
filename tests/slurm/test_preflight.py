"""The preflight in jobs of a real Slurm of two nodes."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthetic_shards import TINY_MODEL, write_shards

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

RECIPE = f"""{TINY_MODEL}
[training]
steps = 2
batch_size = 16
micro_batch_size = 8
precision = "fp32"
[evaluation]
examples = 20
[output]
peak_tflops = 1.0
"""
OPTIONS = {"PREFLIGHT_OPTIONS": "--memory-gib 0.02 --exchange-mib 0.1 --slow-device 0 --slow-node 0"}


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Those of pretraining: both ways to write an option."""
    (tmp_path / "recipe.toml").write_text(RECIPE)
    shards = write_shards(tmp_path / "shards", rows=20, heldout_rows=10)
    (tmp_path / "run").mkdir()
    return [f"--config={tmp_path}/recipe.toml", "--data.shards", str(shards), f"--output.folder={tmp_path}/run"]


def test_training_begins_where_all_is_well(cluster: Any, arguments: list[str], tmp_path: Path) -> None:
    job, log = cluster.run(*arguments, variables=OPTIONS)
    assert "preflight: all is well" in log, log
    assert "2 on 2 nodes: n1 and n2" in log
    assert (job["JobState"], job["ExitCode"]) == ("COMPLETED", "0:0"), log
    assert (tmp_path / "run" / "export").is_dir()


def test_a_folder_that_is_not_shared_ends_the_job(cluster: Any, arguments: list[str], tmp_path: Path) -> None:
    cluster.mount_on("n2", tmp_path / "run")
    job, log = cluster.run(*arguments, variables=OPTIONS)
    assert f"preflight: n2: what n1 wrote to {tmp_path}/run is not seen there; give a folder on a file system" in log, (
        log
    )
    assert "the preflight found what is said above: mend it, or leave the node out" in log
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["jobs"], "nothing but what the job kept"
