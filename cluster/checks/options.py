"""The limits that the checks keep to."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Options(BaseModel):
    """What is looked at, and what counts as a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path | None = Field(
        None, description="the run's folder, made if it is not there; left out: no disk is looked at"
    )
    disk_gib: float = Field(1.0, ge=0, description="GiB that must be free where --output lies")
    shards: tuple[str, ...] = Field(
        (), description="folders of shards that every node must read, with commas or one after the other"
    )
    shard_mib: float = Field(
        256.0, ge=0, description="MiB of shards that each rank hashes and compares with the manifest; 0: none"
    )
    memory_gib: float = Field(
        1.0,
        ge=0,
        description="GiB that each rank needs, on its GPU or else of its node; nine tenths are written and read",
    )
    clock_seconds: float = Field(2.0, gt=0, description="seconds by which a node's clock may differ from rank 0's")
    slow_device: float = Field(
        0.7, ge=0, lt=1, description="a device below this share of the median of all devices is named; 0: none"
    )
    slow_node: float = Field(
        0.33, ge=0, lt=1, description="a node below this share of the median bandwidth of all nodes is named; 0: none"
    )
    exchange_mib: float = Field(
        16.0, gt=0, description="MiB that two nodes exchange at a time, and that all ranks add up"
    )
    timeout: float = Field(
        120.0,
        gt=0,
        description="seconds to wait for a rank, to come and then in each check, before it is called missing",
    )

    @field_validator("shards", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        words = (value,) if isinstance(value, str) else value
        return tuple(part.strip() for word in words for part in str(word).split(",") if part.strip())
