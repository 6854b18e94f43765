"""Held-out figures of a model on shards, whichever length and run it comes from.

    python -m pretraining.evaluate --model RUN/export --shards SHARDS --sequence-length 128 --output FIGURES.json

The sample of held-out examples is the same as during training for the same `--examples`, so figures compare.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from preprocessing.arguments import OptionParser
from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.errors import PretrainingError, not_written
from pretraining.model.huggingface import import_bert
from pretraining.model.packing import PackedBatch
from pretraining.run.engine import start_processes
from pretraining.run.evaluation import Figures, HeldOut
from pretraining.run.ranks import read_environment


class SingleModel(nn.Module):
    """What the evaluation wants of an engine, around a model that nothing distributes."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.module = model.to(device)
        self.device = device

    def forward(self, batch: PackedBatch) -> tuple[Tensor, ...]:
        return self.module(batch)


def evaluate(model: Path, shards: Sequence[Path], length: int, examples: int, batch_size: int) -> dict[str, Figures]:
    """Figures under "all" and each source. Raises `PretrainingError` where the model and the shards do not fit."""
    bert = import_bert(model)
    sets = open_shard_sets(shards, length, bert.config.vocab_size)
    if length > bert.config.max_position_embeddings:
        raise PretrainingError(
            f"{model} has {bert.config.max_position_embeddings} positions, too few for shards of length {length}; "
            "choose a smaller --sequence-length"
        )
    device = start_processes(read_environment())
    held_out = HeldOut(Examples(sets, "heldout", length), examples, batch_size)
    if not len(held_out):
        raise PretrainingError(f"{shards[0]} has no held-out examples; build it with a --heldout-fraction above 0")
    return held_out.evaluate(SingleModel(bert, device))


def option_parser() -> OptionParser:
    """What to evaluate on what."""
    parser = OptionParser("python -m pretraining.evaluate", __doc__.split("\n")[0], PretrainingError)
    text = "a Hugging Face BERT folder with pretraining heads, for instance RUN/export"
    parser.add_argument("--model", type=Path, metavar="FOLDER", required=True, help=text)
    text = "folders of shards with held-out examples"
    parser.add_argument("--shards", type=Path, metavar="FOLDER", required=True, nargs="+", help=text)
    parser.add_argument(
        "--sequence-length", type=int, metavar="N", default=128, help="which of the shards' lengths, in pieces"
    )
    parser.add_argument("--examples", type=int, metavar="N", default=10_000, help="held-out examples, at most")
    parser.add_argument("--batch-size", type=positive, metavar="N", default=32, help="examples per forward pass")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file; left out: standard output")
    return parser


def positive(text: str) -> int:
    """A whole number from 1 on, as argparse wants its types."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        given = option_parser().parse_args(argv)
        figures = evaluate(given.model, given.shards, given.sequence_length, given.examples, given.batch_size)
        text = json.dumps({source: asdict(value) for source, value in figures.items()}, indent=1) + "\n"
        if given.output is None:
            print(text, end="")
        else:
            write_text(given.output, text)
    except (PretrainingError, PreprocessingError) as error:
        known = not_written(error) if isinstance(error, PreprocessingError) else error
        print(f"error: {known}", file=sys.stderr)
        return known.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
