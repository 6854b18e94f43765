"""What a run leaves: a Hugging Face folder, and held-out figures of it by our own evaluation."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.transformers_pretraining.peer import as_ours
from preprocessing.shards import ShardSet
from pretraining.data.examples import Examples
from pretraining.errors import PretrainingError
from pretraining.run.export_folder import write_export


def export(model: Any, shard_set: ShardSet, target: Path) -> None:
    """Writes the model with the shards' tokenizer, as our runs write theirs: complete or not at all."""
    ours = as_ours(model)
    write_export(ours.state_dict(), ours, Path(shard_set.tokenizer_path), target)


def require_held_out(sets: Sequence[ShardSet], length: int) -> None:
    """PretrainingError where there is nothing to evaluate on: said before the training, not after it."""
    if not len(Examples(sets, "heldout", length)):
        raise PretrainingError(
            f"{sets[0].folder} has no held-out examples of length {length}; build it with a --heldout-fraction above "
            "0, or --set evaluation.examples=0"
        )


def figures_of(
    folder: Path, sets: Sequence[ShardSet], length: int, examples: int, threads: int
) -> dict[str, dict[str, Any]]:
    """Held-out figures of an export under "all" and each source, by `pretraining.evaluate` in a process of its own.

    There because it makes its process a rank, which the `Trainer` would take for its own. Nats, and shares of 1.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "figures.json"
        words = [sys.executable, "-m", "pretraining.evaluate", "--model", str(folder), "--output", str(file)]
        words += ["--sequence-length", str(length), "--examples", str(examples)]
        words += ["--shards", *(str(shard_set.folder) for shard_set in sets)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1].removeprefix("error: ")
            raise PretrainingError(f"pretraining.evaluate ended with exit code {done.returncode}: {said}")
        found: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return found
