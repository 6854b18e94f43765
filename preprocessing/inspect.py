"""Shows examples of a build with their masks in colour and their source.

python -m preprocessing.inspect shards/ [--split train] [--sequence-length 128] [--rows 5] [--seed 0]
"""

import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from preprocessing.arguments import OptionParser, add_models, add_storage_options, build_model
from preprocessing.errors import PreprocessingError, printable
from preprocessing.shards import ShardSet
from preprocessing.shards.example_text import read_example
from preprocessing.shards.example_view import legend, render
from preprocessing.storage import Location, location
from preprocessing.tokens.tokenizer import Tokenizer


class Choice(BaseModel):
    """Which examples are shown."""

    model_config = ConfigDict(frozen=True)

    split: Literal["train", "heldout"] = Field("train", description="training or held-out examples")
    sequence_length: int | None = Field(
        None, ge=1, description="length of the examples in tokens (default: the shortest there is)"
    )
    rows: int = Field(5, ge=1, description="how many examples are shown")
    seed: int = Field(0, ge=0, description="seed of the choice of examples")


def choose_rows(sizes: Sequence[int], count: int, seed: int) -> list[tuple[int, int]]:
    """`count` rows drawn without replacement and evenly from all shards, as (shard, row), in order."""
    total = sum(sizes)
    chosen = np.random.default_rng(seed).choice(total, size=min(count, total), replace=False)
    ends = np.cumsum(sizes)
    shards = np.searchsorted(ends, chosen, side="right")
    return sorted(
        (int(shard), int(row - (ends[shard] - sizes[shard]))) for shard, row in zip(shards, chosen, strict=True)
    )


def source_line(document: dict[str, object]) -> str:
    """Where a document came from, in one line."""
    return printable(f"{document['source']} {document['file']} {document['locator']} “{document['title']}”")


def show(folder: Location, choice: Choice, console: Console) -> None:
    """Prints the chosen examples. PreprocessingError when the build has none of that split and length."""
    shards = ShardSet.open(folder)
    split, length = choice.split, choice.sequence_length or shards.lengths[0]
    records = shards.records(split, length).with_rows()
    if not len(records):
        raise PreprocessingError(f"{folder} has no examples in {split} of length {length}; choose another --split.")
    tokenizer = Tokenizer.load(shards.tokenizer_path)
    mask_token = tokenizer.tokens[tokenizer.mask_id]
    console.print(legend())
    for place, row in choose_rows(records.rows.tolist(), choice.rows, choice.seed):
        file = records.file(place)
        example = read_example(shards.read(file), row, shards.documents_of(file), tokenizer)
        body = render(example, mask_token)
        body.append(f"\nA: {source_line(example.document_a)}")
        if example.has_second_segment:
            body.append(f"\nB: {source_line(example.document_b)}")
        label = "random next" if example.is_random_next else "is next"
        title = f"row {row}: {label}, {len(example.shown)} tokens, {len(example.masks)} masks, {file.name}"
        console.print(Panel(body, title=Text(title), title_align="left"))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m preprocessing.inspect", __doc__.split("\n")[0], remote=True)
    parser.add_argument("folder", type=location, help="folder of a build: what its --output named")
    add_models(parser, (Choice,))
    add_storage_options(parser)
    try:
        arguments = parser.parse_args(argv)
        show(arguments.folder, build_model(Choice, arguments), Console())
    except PreprocessingError as error:
        print(f"preprocessing.inspect: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # `| head`
        sys.stderr.close()
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
