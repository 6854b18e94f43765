"""`python -m benchmarks.gpu --dry`: on the first day with a GPU no minute may go into mistakes of the benchmark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import PARTS
from benchmarks.synthetic_shards import write_shards

pytestmark = [pytest.mark.slow]
COMPILING = {"compiled", "mended"}
"""These wait for a compiler for minutes."""


def test_every_part_runs_on_the_cpu(repository: Path, tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", rows=60, lengths=(128, 512), words=30517)
    parts = [f"--only={part}" for part in PARTS if part not in COMPILING]
    command = [sys.executable, "-m", "benchmarks.gpu", tmp_path / "shards", tmp_path / "figures.jsonl", "--dry", *parts]
    subprocess.run(command, cwd=repository, check=True, capture_output=True, timeout=500)
    lines = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    assert [line for line in lines if "failed" in line] == []
    assert {line["of"] for line in lines if line["part"] == "timing"} == set(PARTS) - COMPILING
