"""Small shards, and runs of a tiny model on them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from benchmarks.transformers_pretraining.__main__ import option_parser
from benchmarks.transformers_pretraining.settings import Settings, read_settings
from preprocessing.shards import ShardSet
from pretraining.data.examples import open_shard_sets

RECIPE = """
[training]
steps = 4
batch_size = 8
micro_batch_size = 4
precision = "fp32"
[schedule]
warmup_steps = 2
[evaluation]
examples = 40
[output]
log_every = 1
"""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of 30 examples each; half of these are shorter than 32 tokens."""
    return write_shards(tmp_path_factory.mktemp("peer") / "shards", rows=30, heldout_rows=20, full_share=0.5)


@pytest.fixture(scope="session")
def sets(shards: Path) -> list[ShardSet]:
    return open_shard_sets([shards], 32, None)


@pytest.fixture
def settings(shards: Path, tmp_path: Path) -> Callable[..., Settings]:
    """settings(*words): those of a command line with a recipe of four steps."""

    def of(*words: str) -> Settings:
        (tmp_path / "recipe.toml").write_text(TINY_MODEL + RECIPE)
        common = ["--shards", str(shards), "--config", str(tmp_path / "recipe.toml"), "--output", "OUTPUT"]
        return read_settings(option_parser().parse_args([*common, "--threads", "1", *words]))

    return of
