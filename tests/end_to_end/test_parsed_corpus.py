"""A build from a parsed corpus against one from the raw inputs: the same bytes, by real processes on every engine."""

import importlib.util
import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
NO_DASK = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="the extra `dask` is not installed"
)
OF_THE_BUILD = ("--bucket-bytes", "60000", "--sequence-lengths", "32,64", "--duplicate-factor", "2")
OF_THE_BUILD += ("--heldout-fraction", "0.05")


@pytest.fixture(scope="module")
def inputs(corpus) -> list[str]:
    return [
        *("--wikipedia", str(corpus.folder / "*.xml.bz2"), "--sentences", str(corpus.folder / "lines.txt")),
        *("--jsonlines", str(corpus.folder / "rows.jsonl"), "--split-bytes", "20000"),
    ]


def parse(commands, inputs: list[str], output: Path, engine: str = "local", workers: int | None = 1) -> list[str]:
    command = commands.build(*inputs, "--output", str(output), engine=engine, workers=workers)
    return [*command[:2], "preprocessing/corpus.py", *command[3:]]


def must(commands, command: list[str]) -> str:
    done = commands.run(command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def content(folder: Path) -> dict[str, bytes]:
    """What a parse leaves for others: all but the record of times and the lock."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("inputs.feather", "corpus.lock")
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def parsed(commands, inputs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parsed") / "corpus"
    must(commands, parse(commands, inputs, folder))
    return folder


@pytest.fixture(scope="module")
def raw_build(corpus, commands, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("raw") / "shards"
    commands.must_build(*corpus.arguments(folder), workers=1)
    return folder, commands.fingerprint(folder)


@pytest.mark.parametrize(("engine", "workers"), [("local", 1), ("local", 2), pytest.param("dask", None, marks=NO_DASK)])
def test_shards_are_the_same_bytes(
    corpus, commands, parsed: Path, raw_build: tuple[Path, str], tmp_path: Path, engine: str, workers: int | None
) -> None:
    arguments = ["--corpus", str(parsed), "--vocab", str(corpus.vocabulary), "--output", str(tmp_path / "shards")]
    commands.must_build(*arguments, *OF_THE_BUILD, engine=engine, workers=workers)
    assert commands.fingerprint(tmp_path / "shards") == raw_build[1]
    ours, theirs = (
        json.loads((folder / "manifest.json").read_text()) for folder in (tmp_path / "shards", raw_build[0])
    )
    assert ours["tally"]["counters"].pop("parsed_corpus.documents") > 100
    assert ours.pop("inputs_hash") != theirs.pop("inputs_hash")
    assert ours == theirs
    assert ours["buckets"] >= 3


@pytest.mark.parametrize(("engine", "workers"), [("local", 2), pytest.param("dask", None, marks=NO_DASK)])
def test_the_corpus_is_the_same_bytes(
    commands, inputs: list[str], parsed: Path, tmp_path: Path, engine: str, workers: int | None
) -> None:
    must(commands, parse(commands, inputs, tmp_path / "corpus", engine, workers))
    assert content(tmp_path / "corpus") == content(parsed)
    assert len(list((parsed / "documents").glob("*.arrow"))) >= 6


def test_a_parse_killed_goes_on(commands, inputs: list[str], parsed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"

    def complete() -> dict[Path, int]:
        found = (folder / "documents").glob("*.json") if folder.exists() else ()
        return {path: path.stat().st_mtime_ns for path in found}

    commands.kill_when(parse(commands, inputs, folder, workers=2), lambda: len(complete()) > 1)
    before = complete()
    assert not (folder / "corpus.json").exists()
    # Half a corpus is none.
    refused = commands.run(commands.build("--corpus", str(folder), "--vocab", "none", "--output", str(tmp_path / "s")))
    assert refused.returncode == 2
    assert "holds no corpus.json, so it is no parsed corpus or not complete" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "complete already" not in must(commands, parse(commands, inputs, folder))
    assert {path: complete()[path] for path in before} == before  # nothing complete was made again
    assert content(folder) == content(parsed)
    assert "complete already" in must(commands, parse(commands, inputs, folder))


def test_real_text_gives_the_same_bytes(shared_data: Path, commands, tmp_path: Path) -> None:
    """A part of a real dump and six novels, with shipped defaults but for what makes several splits and buckets."""
    raw = ["--wikipedia", str(shared_data / "wikipedia" / "*.bz2"), "--books", str(shared_data / "books" / "*.txt")]
    raw += ["--split-bytes", "1000000"]
    must(commands, parse(commands, raw, tmp_path / "corpus", workers=2))
    build = ["--sequence-lengths", "128", "--duplicate-factor", "1", "--bucket-bytes", "1000000"]
    vocabulary = ["--vocabulary-size", "2000", "--output", str(tmp_path / "vocabulary")]
    commands.must_train_vocabulary("--corpus", str(tmp_path / "corpus"), *vocabulary)
    build += ["--vocab", str(tmp_path / "vocabulary")]
    commands.must_build(*raw, *build, "--output", str(tmp_path / "raw"))
    commands.must_build("--corpus", str(tmp_path / "corpus"), *build, "--output", str(tmp_path / "parsed"))
    assert commands.fingerprint(tmp_path / "parsed") == commands.fingerprint(tmp_path / "raw")
