"""What one fine-tuning run is asked to do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from finetuning.tasks.task import SHORTEST_LENGTH, Context

Precision = Literal["auto", "fp32", "tf32", "bf16"]


class RunSpec(BaseModel):
    """One fine-tuning run: task, starting weights, hyperparameters, seed, and where the result goes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    task: str
    """A benchmark task's name (`cola`, `squad2`, …) or the path of a task's TOML file."""
    model: str
    """Folder with a Hugging Face BERT, an export of ours, or `random:CONFIG.json` for random weights."""
    output: Path
    """The run's folder."""
    data: Path | None = None
    """Folder with the files in the benchmark's own layout; left out: the Hugging Face hub (or, for a user's
    own task, the folder of its TOML file)."""
    tokenizer: Path | None = None
    """Folder or file of the tokenizer; left out: the model's folder."""
    random_weights: bool = False
    """Take the model's configuration and tokenizer, but start from random weights."""

    learning_rate: float = Field(default=3e-5, gt=0)
    """The peak, which is reached after the warm-up."""
    batch_size: int = Field(default=32, ge=1)
    """Examples per optimiser step, over all devices together."""
    epochs: float = Field(default=3.0, gt=0)
    """Passes over the training rows; a part of one is allowed."""
    seed: int = Field(default=1, ge=0)
    """Seed of the head, of dropout and of the order of examples."""
    sequence_length: int | None = Field(default=None, ge=SHORTEST_LENGTH, json_schema_extra={"also": "max_length"})
    """Most pieces per sequence, special pieces included; left out: the task's own, or the model's positions where
    these are fewer. What does not fit is cut, and counted in the result."""
    context: Context | None = None
    """Token tasks: `sentence` or `document`, what the model reads around a word; left out: the task's own."""
    warmup_share: float = Field(default=0.1, ge=0, le=1)
    """Share of all steps in which the learning rate rises linearly to its peak; then linear decay to zero."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay; not applied to biases and LayerNorm."""
    adam_beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of Adam's mean of gradients."""
    adam_beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of Adam's mean of squared gradients."""
    adam_epsilon: float = Field(default=1e-8, gt=0)
    """Added to Adam's divisor."""
    bias_correction: bool = True
    """Adam with bias correction; no: without, as in the original BERT code."""
    gradient_clip: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient over all parameters; 0: no clipping."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout of the encoder and of the head; left out: as the model's configuration says."""
    micro_batch_pieces: int = Field(default=16384, ge=1)
    """Most pieces in one forward pass: a larger batch is accumulated. Bounds memory, not the result (on a GPU dropout
    draws other numbers)."""
    group_by_length: bool = False
    """Make batches of sequences of similar length. The packed encoder does not pad, so it gains little."""
    precision: Precision = "auto"
    """Of the forward and backward pass. bf16: autocast; weights and optimiser state stay fp32. tf32: fp32 with products
    rounded to 10 bits, on GPUs. auto: bf16 on GPUs that have it (Ampere and later), else fp32, as the result says."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, …; under DeepSpeed each rank takes its own."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of torch on the CPU; left out: torch's own choice."""
    skip_malformed: bool = False
    """TSV and CSV: pass over lines with a wrong number of fields (counted and noted in the result) instead of refusing;
    those of splits without labels are refused all the same."""
    limit_train: int | None = Field(default=None, ge=1)
    """Only the first N training rows."""
    limit_dev: int | None = Field(default=None, ge=1)
    """Only the first N rows of every other split."""
    evaluate_every_epoch: bool = False
    """Score the dev split after each epoch too (kept in `epoch_scores`)."""
    stop_failed_after: int | None = Field(default=None, ge=1)
    """End the run after this many epochs when its dev score is then not above the best constant answer's."""
    predict_test: bool = True
    """Predict the test splits too, where the data has them."""
    save_model: bool = False
    """Keep the fine-tuned model in `OUTPUT/model`."""
    zero_stage: int = Field(default=0, ge=0, le=2)
    """ZeRO stage when several ranks run under DeepSpeed."""
    join_seconds: float = Field(default=300.0, ge=1, le=86_400)
    """How long several ranks wait at the start for all of them to come, before each ends and says who is missing."""


def add_length(parser: argparse.ArgumentParser, usual: str) -> None:
    """The option `--max-length` of a command that does not take all of `RunSpec`; `usual`: where it is left out."""
    parser.add_argument(
        "--max-length",
        "--sequence-length",
        dest="sequence_length",
        type=int,
        default=argparse.SUPPRESS,
        metavar="N",
        help=f"most pieces per sequence, special ones too; what does not fit is cut and counted (left out: {usual})",
    )


def add_context(parser: argparse.ArgumentParser) -> None:
    """The option `--context` of such a command."""
    parser.add_argument(
        "--context",
        choices=("sentence", "document"),
        default=argparse.SUPPRESS,
        help="token tasks: what the encoder reads around a word, its sentence or as much of its document as fits (left "
        "out: the task's own)",
    )
