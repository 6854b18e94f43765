"""A build from one compressed stream: the same shards however it is cut, and a killed one goes on from its splits."""

import bz2
import gzip
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from preprocessing.build import folder as build_folder
from preprocessing.pipeline import run
from preprocessing.shards.reader import ShardSet
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS

WORDS = [f"word{index}" for index in range(80)]
OPTIONS = ("--sequence-lengths", "16,32", "--heldout-fraction", "0.1", "--bucket-bytes", "65536", "--keep-intermediate")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence a line, `text`, and `vocab.txt` beside it."""
    folder = tmp_path_factory.mktemp("inputs")
    generator = np.random.default_rng(12)
    documents = []
    for _ in range(2500):
        lines = [" ".join(generator.choice(WORDS, generator.integers(4, 15))) for _ in range(generator.integers(2, 9))]
        documents.append("\n".join(lines) + "\n")
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *WORDS]))
    (folder / "text").write_text("\n".join(documents))
    return folder / "text"


def options(path: Path, vocabulary: Path, output: Path, split_bytes: int) -> list[str]:
    command = ["--sentences", str(path), "--vocab", str(vocabulary), "--output", str(output), *OPTIONS]
    return [*command, "--split-bytes", str(split_bytes)]


def shards(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for place in ("train", "heldout", "documents")
        for path in sorted((folder / place).rglob("*.arrow"))
    }


@pytest.mark.parametrize("compress", [lambda data: bz2.compress(data, 1), gzip.compress])
def test_the_same_shards_however_a_stream_is_cut(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(build_folder, "write_report", lambda manifest, folder: None)
    path = tmp_path / "text.z"
    path.write_bytes(compress(text.read_bytes()))
    for name, split_bytes in (("cut", 16_384), ("whole", 1 << 40)):
        assert run(options(path, text.with_name("vocab.txt"), tmp_path / name, split_bytes)) == 0
    splits = [len(list((tmp_path / name / "intermediate").glob("split-*.json"))) for name in ("cut", "whole")]
    assert splits[0] > 3
    assert splits[1] == 1
    assert shards(tmp_path / "cut") == shards(tmp_path / "whole")
    counters = [ShardSet.open(tmp_path / name).manifest.counters for name in ("cut", "whole")]
    assert counters[0] == counters[1]


@pytest.mark.slow
def test_a_killed_build_of_one_stream_goes_on_from_its_splits(text: Path, tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(text.read_bytes()))
    command = [sys.executable, "-m", "cluster.beam", "run", "preprocessing/pipeline.py", "--workers", "1"]
    command += options(path, text.with_name("vocab.txt"), tmp_path / "killed", 4096)
    done = tmp_path / "killed" / "intermediate"
    with subprocess.Popen(command, cwd=repository, stderr=subprocess.DEVNULL) as build:
        while build.poll() is None and len(list(done.glob("split-*.json"))) < 5:
            time.sleep(0.002)
        build.kill()
    before = {sidecar: sidecar.stat().st_mtime_ns for sidecar in done.glob("split-*.json")}
    assert not (tmp_path / "killed" / "manifest.json").exists()
    subprocess.run(command, cwd=repository, check=True, stderr=subprocess.DEVNULL)
    after = {sidecar: sidecar.stat().st_mtime_ns for sidecar in done.glob("split-*.json")}
    assert len(after) > len(before) >= 5
    assert before.items() <= after.items()
    command[command.index(str(tmp_path / "killed"))] = str(tmp_path / "undisturbed")
    subprocess.run(command, cwd=repository, check=True, stderr=subprocess.DEVNULL)
    assert shards(tmp_path / "killed") == shards(tmp_path / "undisturbed")
