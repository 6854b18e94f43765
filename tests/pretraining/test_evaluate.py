"""The command that measures a model on held-out examples: what else stands on its output."""

import os
import subprocess
import sys
from pathlib import Path


def test_deepspeed_says_nothing_on_the_output(tmp_path: Path) -> None:
    """Figures go there as JSON. In a process of its own without a GPU, of which DeepSpeed would speak there."""
    command = [sys.executable, "-m", "pretraining.evaluate", "--model", str(tmp_path), "--shards", str(tmp_path)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: {tmp_path / 'config.json'}: no such file; a model folder holds a config.json\n"
