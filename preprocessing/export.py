"""Writes shards as Parquet files with the columns that `transformers`' `BertForPreTraining` takes, for its Trainer.

    python -m preprocessing.export shards/ --output parquet/ [--split train] [--sequence-length 128] [--no-pad]

One file a shard, one row an example, in the order of the shards:

    input_ids, token_type_ids, attention_mask    as the model takes them, masked already
    labels                                       the original id where a token is masked, -100 elsewhere
    next_sentence_label                          0: B follows A, 1: B is random; absent for shards without pairs

Masks stay those of the shards, so a collator that masks anew is not to be used. By default rows are padded to the
sequence length, and any collator can stack them. A file that is there is left, so a killed export goes on.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import REMOTE, OptionParser, add_models, add_storage_options, build_model
from preprocessing.atomic_file import replacing, write_text
from preprocessing.errors import PreprocessingError
from preprocessing.owned_folder import held_folder
from preprocessing.progress import SILENT, Progress, add_quiet, progress_of
from preprocessing.shards import Shard, ShardSet
from preprocessing.storage import Location, location
from preprocessing.tokens.tokenizer import Tokenizer

IGNORED = -100
"""The label of a token that is not to be predicted, in `transformers`."""
_MARKER, _LOCK = "export.json", "export.lock"
_ROWS_AT_A_TIME = 8192


class ExportOptions(BaseModel):
    """Which examples are written, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: str = Field(description="folder of the Parquet files", json_schema_extra=REMOTE)
    split: Literal["train", "heldout"] = Field("train", description="training or held-out examples")
    sequence_length: int | None = Field(
        None, ge=1, description="length of the examples in tokens (default: the shortest there is)"
    )
    pad: bool = Field(True, description="pad every row to the sequence length")


def export(shards: ShardSet, options: ExportOptions, progress: Progress = SILENT) -> list[Location]:
    """Writes the files; returns them. Raises PreprocessingError for a folder of something else."""
    length = options.sequence_length or shards.lengths[0]
    records = shards.records(options.split, length).with_rows()
    folder = location(options.output)
    identity = {
        "fingerprint": shards.fingerprint,
        "split": options.split,
        "sequence_length": length,
        "pad": options.pad,
    }
    with held_folder(folder, _MARKER, _LOCK):
        marker = folder / _MARKER
        if marker.is_file() and json.loads(marker.read_text(encoding="utf-8")) != identity:
            raise PreprocessingError(f"{folder} holds an export of other shards or options; give another --output.")
        write_text(marker, json.dumps(identity, indent=1) + "\n")
        pad_id = Tokenizer.load(shards.tokenizer_path).pad_id
        with_pairs = shards.manifest.configuration.get("examples", {}).get("objective") != "none"
        targets = []
        for file in progress.over(records.files(), "export", len(records), "shards"):
            target = folder / PurePosixPath(file.name).with_suffix(".parquet").name
            if not target.is_file():
                tables = _tables(shards.read(file), length if options.pad else None, pad_id, with_pairs)
                _write(target, tables)
            targets.append(target)
    return targets


def _write(target: Location, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    with replacing(target) as temporary, pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _tables(shard: Shard, pad_to: int | None, pad_id: int, with_pairs: bool) -> Iterator[pa.Table]:
    for begin in range(0, shard.rows, _ROWS_AT_A_TIME):
        yield _table(shard, begin, min(begin + _ROWS_AT_A_TIME, shard.rows), pad_to, pad_id, with_pairs)


def _table(shard: Shard, begin: int, end: int, pad_to: int | None, pad_id: int, with_pairs: bool) -> pa.Table:
    """Rows `begin` to `end` of a shard; every column is made flat, and the offsets are the same for all."""
    starts, ends = shard.token_offsets[begin:end].astype(np.int64), shard.token_offsets[begin + 1 : end + 1]
    lengths = ends - starts
    widths = lengths if pad_to is None else np.full(end - begin, pad_to, np.int64)
    offsets = np.concatenate([[0], np.cumsum(widths)])
    row = np.repeat(np.arange(end - begin), lengths)
    place = np.arange(int(starts[0]), int(ends[-1])) - starts[row]
    at = offsets[row] + place
    input_ids = np.full(int(offsets[-1]), pad_id, np.int32)
    input_ids[at] = shard.input_ids[int(starts[0]) : int(ends[-1])]
    token_types, attention = np.zeros(len(input_ids), np.int8), np.zeros(len(input_ids), np.int8)
    token_types[at] = place >= shard.segment_b_start[begin:end].astype(np.int64)[row]
    attention[at] = 1
    masks = slice(int(shard.mask_offsets[begin]), int(shard.mask_offsets[end]))
    mask_row = np.repeat(np.arange(end - begin), np.diff(shard.mask_offsets[begin : end + 1]))
    labels = np.full(len(input_ids), IGNORED, np.int32)
    labels[offsets[mask_row] + shard.masked_positions[masks]] = shard.masked_labels[masks]
    columns = {"input_ids": input_ids, "token_type_ids": token_types, "attention_mask": attention, "labels": labels}
    ends_of_rows = pa.array(offsets.astype(np.int32))
    table = {name: pa.ListArray.from_arrays(ends_of_rows, pa.array(values)) for name, values in columns.items()}
    if with_pairs:
        table["next_sentence_label"] = pa.array(shard.is_random_next[begin:end].astype(np.int64))
    return pa.table(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m preprocessing.export", __doc__.split("\n")[0], remote=True)
    parser.add_argument("folder", type=location, help="folder of a build: what its --output named")
    add_models(parser, (ExportOptions,))
    add_quiet(parser)
    add_storage_options(parser)
    try:
        arguments = parser.parse_args(argv)
        options = build_model(ExportOptions, arguments)
        for path in export(ShardSet.open(arguments.folder), options, progress_of(arguments)):
            print(path)
    except PreprocessingError as error:
        print(f"preprocessing.export: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
