"""The whole build on small inputs, in this process but where the point is another one."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from preprocessing import pipeline
from preprocessing.build import folder as build_folder
from preprocessing.shards.reader import ShardSet
from preprocessing.shards.report import write_report
from tests.preprocessing.small_build import SMALL, WORDS, Build, content, refused
from tests.recorded_progress import recorded

RECIPES = sorted((Path(__file__).parents[2] / "preprocessing" / "recipes").glob("*.toml"))


def test_text_becomes_shards(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_folder, "write_report", write_report)
    assert build_shards() == 0
    shards = ShardSet.open(tmp_path / "shards")
    manifest = shards.manifest
    assert manifest.fingerprint in capsys.readouterr().out
    assert manifest.buckets > 1
    assert len(shards.records("train", 16)) == manifest.buckets
    counters = manifest.counters
    assert (counters["documents_in"], counters["documents_out"], counters["dropped.exact_duplicate"]) == (181, 180, 1)
    assert sum(record.rows for record in manifest.documents) == 180
    assert sum(record.splits for record in manifest.inputs) > 3
    assert {record.file for record in manifest.inputs} == {"a.txt", "b.txt", "c.txt"}
    assert set(manifest.statistics) == {"train/16", "train/32", "heldout/16", "heldout/32"}
    for record in manifest.shards:
        assert shards.read(record).rows == record.rows
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == [
        "build.json",
        "build.lock",
        "documents",
        "duplicates",
        "heldout",
        "inputs.feather",
        "manifest",
        "manifest.json",
        "report.html",
        "report.json",
        "tokenizer",
        "train",
    ]


def test_a_short_build_says_nothing_but_its_result(inputs: Path, tmp_path: Path, repository: Path) -> None:
    """As a user starts it, with pipes for what it says."""
    command = [sys.executable, "preprocessing/pipeline.py", "--sentences", str(inputs / "text" / "*.txt"), *SMALL]
    command += ["--vocab", str(inputs / "vocab.txt"), "--output", str(tmp_path / "shards")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=repository)
    manifest = ShardSet.open(tmp_path / "shards").manifest
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert manifest.fingerprint in done.stdout


def test_quiet_leaves_out_remarks_and_json_is_one_object(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle = ("--books.document", "chapter")
    assert build_shards(*idle) == 0
    said = capsys.readouterr()
    assert "--books.document" in said.err
    for was_complete, folder in ((True, tmp_path / "shards"), (False, tmp_path / "again")):
        assert build_shards(*idle, "--quiet", "--json", output=folder) == 0
        said = capsys.readouterr()
        manifest = ShardSet.open(folder).manifest
        assert said.err == ""
        assert json.loads(said.out) == {
            "folder": str(folder),
            "was_complete": was_complete,
            "shards": len(manifest.shards),
            "examples": sum(record.rows for record in manifest.shards),
            "documents": 180,
            "fingerprint": manifest.fingerprint,
        }


def test_every_step_of_a_build_is_counted_to_its_end(
    build_shards: Build, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = recorded(monkeypatch, pipeline)
    assert build_shards() == 0
    manifest = ShardSet.open(tmp_path / "shards").manifest
    size = sum(path.stat().st_size for path in (inputs / "text").iterdir())
    assert progress.ends == [
        ("cut inputs", 3, 3),
        ("hash inputs", size, size),
        ("add up splits", *[sum(record.splits for record in manifest.inputs)] * 2),
        ("add up buckets", manifest.buckets, manifest.buckets),
    ]


def test_a_share_that_holds_out_nothing_is_said(build_shards: Build, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_shards("--heldout-fraction", "0.000001") == 0
    said = "none of the 180 documents is held out at --heldout-fraction 1e-06; a larger share holds out some"
    assert capsys.readouterr().err == f"preprocessing: {said}.\n"


def test_output_does_not_depend_on_where_input_or_output_lie_or_how_it_is_cut(
    build_shards: Build, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build_shards(output=tmp_path / "one") == 0
    shutil.copytree(inputs, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    moved = ("--sentences", "elsewhere/text/*.txt", "--vocab", "elsewhere/vocab.txt", "--split-bytes", "100000")
    assert build_shards(*moved, output=Path("two")) == 0
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert list(one) == list(two)
    different = {name for name in one if name.endswith(".arrow") and one[name] != two[name]}
    assert different == {"manifest/inputs.arrow"}  # how often the inputs were cut


def test_a_bundle_that_runs_twice_changes_nothing(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards(output=tmp_path / "one") == 0
    assert build_shards("--direct_runner_bundle_repeat=1", "--runner=FnApiRunner", output=tmp_path / "two") == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_as_one(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards("--workers", "1", output=tmp_path / "one") == 0
    assert build_shards("--workers", "2", output=tmp_path / "two") == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize(("objective", "code"), [("next-sentence", 2), ("sentence-order", 0), ("none", 0)])
def test_a_corpus_of_a_single_document(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], objective: str, code: int
) -> None:
    text = tmp_path / "one.txt"
    text.write_text("".join(f"{' '.join(WORDS[n : n + 9])}\n" for n in range(40)))
    options = ("--sentences", str(text), "--objective", objective, "--heldout-fraction", "0")
    assert build_shards(*options) == code
    if code:
        assert "single document" in refused(capsys, code)


@pytest.mark.slow
def test_the_file_runs_as_a_script_and_as_a_module(inputs: Path, tmp_path: Path, repository: Path) -> None:
    arguments = ["--sentences", str(inputs / "text" / "a.txt"), "--vocab", str(inputs / "vocab.txt"), *SMALL]
    programs = (["-m", "preprocessing.pipeline"], ["-m", "cluster.beam", "run", "FILE"], ["FILE"])
    for number, program in enumerate(programs):
        program = [str(repository / "preprocessing" / "pipeline.py") if part == "FILE" else part for part in program]
        engine = ["--engine", "local", "--workers", "1"] if "run" in program else ["--runner=FnApiRunner"]
        command = [sys.executable, *program, *arguments, "--output", str(tmp_path / str(number)), *engine]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert content(tmp_path / "0") == content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_are_options_of_a_build(recipe: Path, build_shards: Build, tmp_path: Path) -> None:
    assert recipe.read_text().startswith("# ")
    assert build_shards("--config", str(recipe), "--maximum-label-imbalance", "1") == 0  # few documents a bucket
    built = ShardSet.open(tmp_path / "shards").manifest.configuration["examples"]
    for key, value in tomllib.loads(recipe.read_text()).items():
        if key not in ("sequence_lengths", "heldout_fraction"):  # the fixture names its own; an option goes first
            assert built[key] == value, key
