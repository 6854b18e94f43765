"""The same bytes whatever the workers, the runner, replayed bundles, the place of the input, and after `kill -9`."""

import importlib.util
import re
import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest

from preprocessing.shards.manifest import Manifest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one_worker(corpus, commands, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The build that all others are compared with, and its hash."""
    folder = tmp_path_factory.mktemp("one") / "shards"
    commands.must_build(*corpus.arguments(folder), workers=1)
    return folder, commands.fingerprint(folder)


def build_without_noise(commands, *arguments: str, **settings) -> None:
    """Nothing but progress is on stderr: no remark of Beam or Dask, of the driver or of any worker."""
    done = commands.run(commands.build(*arguments, **settings))
    progress = re.compile(r"[a-z ]+: .+ so far")
    others = [line for line in done.stderr.splitlines() if not progress.fullmatch(line)]
    assert (done.returncode, others) == (0, [])


def test_the_corpus_exercises_splits_buckets_and_both_splits(one_worker):
    manifest = Manifest.read(one_worker[0])
    assert sum(record.splits for record in manifest.inputs) >= 6
    assert manifest.buckets >= 3
    assert manifest.counters["dropped.exact_duplicate"] == 5
    for place in ("train/32", "train/64", "heldout/32"):
        assert manifest.statistics[place].rows > 0, place


def test_two_workers_give_the_same_bytes(corpus, commands, one_worker, tmp_path: Path):
    build_without_noise(commands, *corpus.arguments(tmp_path / "shards"), workers=2)
    assert commands.fingerprint(tmp_path / "shards") == one_worker[1]
    ours, theirs = ((folder / "manifest.json").read_bytes() for folder in (tmp_path / "shards", one_worker[0]))
    assert ours == theirs


def test_replayed_bundles_do_no_harm_and_the_place_of_the_input_does_not_matter(
    corpus, commands, one_worker, tmp_path: Path
):
    moved = type(corpus)(Path(shutil.copytree(corpus.folder, tmp_path / "else where" / "inputs")))
    arguments = [*moved.arguments(tmp_path / "shards"), "--direct_runner_bundle_repeat=1"]
    commands.must_build(*arguments)
    assert commands.fingerprint(tmp_path / "shards") == one_worker[1]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra `dask` is not installed")
def test_dask_gives_the_same_bytes(corpus, commands, one_worker, tmp_path: Path):
    build_without_noise(commands, *corpus.arguments(tmp_path / "shards"), engine="dask", workers=None)
    assert commands.fingerprint(tmp_path / "shards") == one_worker[1]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra `dask` is not installed")
def test_a_worker_of_dask_is_killed(corpus, commands, one_worker, tmp_path: Path):
    """Its work is done again by the others, and the bytes are the same."""
    meeting, folder = str(tmp_path / "dask"), tmp_path / "shards"
    build = commands.build(*corpus.arguments(folder), engine="dask", workers=None)
    engine = [sys.executable, "-m"]
    driver = [*engine, "cluster.engines.dask_driver", "--meeting", meeting]
    driver += ["--", *build, "--dask_scheduler_file", f"{meeting}/scheduler.json"]
    with (tmp_path / "said").open("w") as said:
        output = {"cwd": commands.repository, "env": commands.environment, "stdout": said, "stderr": said}
        first = psutil.Popen(driver, **output)
        node = psutil.Popen([*engine, "cluster.engines.dask_workers", "--meeting", meeting, "--workers", "2"], **output)
        killed = False
        while first.poll() is None and not killed:
            if folder.is_dir() and list((folder / "intermediate").glob("split-*.json")):
                workers = [
                    child for child in node.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())
                ]
                workers[0].kill()
                killed = True
            time.sleep(0.01)
        assert first.wait(timeout=300) == 0, (tmp_path / "said").read_text()
        assert node.wait(timeout=60) == 0
    assert killed
    assert commands.fingerprint(folder) == one_worker[1]


def test_a_build_killed_twice_goes_on(corpus, commands, one_worker, tmp_path: Path):
    """Killed while splits are read, killed again while shards are built, each time taken up with other workers."""
    folder = tmp_path / "shards"
    arguments = [*corpus.arguments(folder), "--keep-intermediate"]

    def complete(stage: str) -> dict[Path, int]:
        found = (folder / "intermediate").glob(f"{stage}-*.json") if folder.exists() else ()
        return {path: path.stat().st_mtime_ns for path in found}

    commands.kill_when(commands.build(*arguments, workers=2), lambda: bool(complete("split")))
    splits = complete("split")
    assert not (folder / "manifest.json").exists()
    commands.kill_when(commands.build(*arguments, workers=1), lambda: bool(complete("bucket")))
    buckets = complete("bucket")
    assert not (folder / "manifest.json").exists()
    commands.must_build(*arguments, workers=1)

    for stage, before in (("split", splits), ("bucket", buckets)):
        after = complete(stage)
        assert len(after) > len(before)
        assert {path: after[path] for path in before} == before  # nothing complete was made again
    assert commands.fingerprint(folder) == one_worker[1]
    assert not list(folder.rglob("*.tmp-*"))
