"""Near-duplicates and the contamination report as commands: the same bytes whatever the workers, the runner, replayed
bundles, and after `kill -9`."""

import importlib.util
import json
from pathlib import Path

import pyarrow as pa
import pytest

pytestmark = pytest.mark.slow

RESULTS = {
    "near_duplicates": ("drop.arrow", "groups.arrow", "report.json"),
    "contamination": ("contaminated.jsonl", "report.json"),
}


@pytest.fixture(scope="module")
def line(corpus, commands, tmp_path_factory: pytest.TempPathFactory):
    """(pass, output, further arguments) → its command line; the evaluation file quotes three documents."""
    if importlib.util.find_spec("rensa") is None:
        pytest.skip("the extra `near-duplicates` is not installed")
    evaluation = tmp_path_factory.mktemp("evaluation") / "dev.jsonl"
    rows = (corpus.folder / "rows.jsonl").read_text().splitlines()
    evaluation.write_text("\n".join(rows[:60:20]))
    sources = [
        *("--wikipedia", str(corpus.folder / "*.xml.bz2"), "--sentences", str(corpus.folder / "lines.txt")),
        *("--jsonlines", str(corpus.folder / "rows.jsonl"), "--split-bytes", "20000"),
    ]
    own = {"near_duplicates": [], "contamination": ["--decontamination.files", str(evaluation)]}

    def command(name: str, output: Path, *options: str) -> list[str]:
        beam = commands.build(engine="dask" if "dask" in options else "local", workers=None)
        beam[2] = f"preprocessing/{name}.py"
        return [*beam, *sources, *own[name], "--output", str(output), *(word for word in options if word != "dask")]

    return command


@pytest.fixture(scope="module")
def one_worker(line, commands, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """What one worker writes, which all others are compared with."""
    folder = tmp_path_factory.mktemp("one")
    for name in RESULTS:
        commands._must(commands.run(line(name, folder / name, "--workers", "1")))
    return {name: results(name, folder / name) for name in RESULTS}


def results(name: str, folder: Path) -> dict[str, bytes]:
    return {file: (folder / file).read_bytes() for file in RESULTS[name]}


def test_there_is_something_to_find(one_worker):
    table = pa.ipc.open_file(one_worker["near_duplicates"]["groups.arrow"]).read_all()
    assert (len(table), sum(table.column("kept").to_pylist())) == (10, 5)  # the corpus' exact duplicates
    # Three documents are quoted, and of the first there are two.
    assert len(one_worker["contamination"]["contaminated.jsonl"].splitlines()) == 4
    assert json.loads(one_worker["contamination"]["report.json"])["documents"] == 225


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize(
    "options", [("--workers", "2"), ("--workers", "1", "--direct_runner_bundle_repeat=1")], ids=["two", "replayed"]
)
def test_workers_and_replayed_bundles_change_nothing(line, commands, one_worker, tmp_path: Path, name: str, options):
    commands._must(commands.run(line(name, tmp_path / "out", *options)))
    assert results(name, tmp_path / "out") == one_worker[name]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra `dask` is not installed")
@pytest.mark.parametrize("name", RESULTS)
def test_dask_writes_the_same(line, commands, one_worker, tmp_path: Path, name: str):
    commands._must(commands.run(line(name, tmp_path / "out", "dask")))
    assert results(name, tmp_path / "out") == one_worker[name]


def test_near_duplicates_killed_twice_go_on(line, commands, one_worker, tmp_path: Path):
    """Killed among signatures and killed among bands, each time taken up with other workers."""
    folder = tmp_path / "out"

    def complete(pattern: str) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.glob(f"signatures/*/{pattern}.arrow")}

    commands.kill_when(line("near_duplicates", folder, "--workers", "2"), lambda: bool(complete("[0-9a-f]" * 32)))
    signatures = complete("[0-9a-f]" * 32)
    commands.kill_when(line("near_duplicates", folder, "--workers", "1"), lambda: len(complete("bands-*")) > 1)
    assert not (folder / "drop.arrow").exists()
    bands = complete("bands-*")
    # The last step is where the next run would end; what is complete by then was not made again.
    commands.kill_when(line("near_duplicates", folder, "--workers", "1"), lambda: bool(complete("pairs-*")))
    after = complete("[0-9a-f]" * 32) | complete("bands-*")
    assert {path: after[path] for path in signatures | bands} == signatures | bands
    commands._must(commands.run(line("near_duplicates", folder, "--workers", "2")))
    assert results("near_duplicates", folder) == one_worker["near_duplicates"]
    assert not list(folder.rglob("*.tmp-*"))
    assert not complete("bands-*")


def test_the_contamination_report_killed_goes_on(line, commands, one_worker, tmp_path: Path):
    folder = tmp_path / "out"

    def complete() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.glob("splits/*/*.json")}

    commands.kill_when(line("contamination", folder, "--workers", "1"), lambda: bool(complete()))
    before = complete()
    assert not (folder / "contaminated.jsonl").exists()
    commands._must(commands.run(line("contamination", folder, "--workers", "2")))
    after = complete()
    assert {path: after[path] for path in before} == before
    assert results("contamination", folder) == one_worker["contamination"]
    assert not list(folder.rglob("*.tmp-*"))


def test_the_drop_list_takes_the_duplicates_out_of_a_build(corpus, line, commands, tmp_path: Path):
    commands._must(commands.run(line("near_duplicates", tmp_path / "near", "--workers", "1")))
    arguments = [*corpus.arguments(tmp_path / "shards"), "--drop-lists", str(tmp_path / "near" / "drop.arrow")]
    commands.must_build(*arguments)
    counters = json.loads((tmp_path / "shards" / "manifest.json").read_text())["tally"]["counters"]
    assert counters["dropped.near_duplicate"] == 5
    assert "dropped.exact_duplicate" not in counters or counters["dropped.exact_duplicate"] == 0
