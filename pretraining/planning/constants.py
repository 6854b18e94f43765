"""What was measured of starting, loading, saving and computing, as `constants.toml` keeps it."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).with_name("constants.toml")


@dataclass(frozen=True)
class Host:
    """CPU seconds of a rank's process, on one core."""

    import_seconds: float
    open_seconds: float  # a manifest
    open_seconds_a_shard: float
    join_seconds: float
    join_seconds_a_rank: float  # of the run
    batch_seconds_a_sequence: float  # of the global batch: drawn, measured and cut by every rank
    pack_seconds_a_token: float  # of the rank's own share
    save_seconds: float
    save_seconds_a_gb: float  # of the rank's own part of a checkpoint, 10⁹ bytes


@dataclass(frozen=True)
class Reference:
    """The one card on which steps were measured."""

    peak_tflops: float
    bandwidth: float  # GB/s
    mfu: float  # of a step whose micro-batches keep the card busy
    product_share: float  # of the datasheet's peak, by a large product of matrices
    host_seconds_a_layer: float  # of a micro-batch, at least


@functools.cache
def measured() -> tuple[Host, Reference]:
    """The tables of `constants.toml`."""
    tables = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return Host(**tables["host"]), Reference(**tables["h200"])
