"""What the files of the stages hold: columns asked of the code that writes them, keys of the models that check them."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from finetuning.kinds.encoding.truncation import Truncation
from finetuning.run.identity.inputs import InputFile, Inputs
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from preprocessing.examples.arrays import Array, Examples
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics
from preprocessing.shards import (
    DocumentTableRecords,
    InputRecords,
    Manifest,
    ShardRecords,
    read_table,
    shard_path,
    write_shard,
)
from preprocessing.shards.record_packing import HISTOGRAM_SCHEMA
from preprocessing.shards.records import TableRecord
from site_pages.class_fields import declared
from site_pages.tables import code, plain, table

MODELS: tuple[tuple[str, type[Any]], ...] = (
    ("`manifest.json` of a folder of shards", Manifest),
    ("`corpus` in `manifest.json`", CorpusStatistics),
    ("a value of `statistics` in `manifest.json`, by split and length", ExampleStatistics),
    ("a value of `tables` in `manifest.json`, by name", TableRecord),
    ("`result.json` of a fine-tuning run", Result),
    ("`spec` in `result.json`", RunSpec),
    ("`inputs` in `result.json`", Inputs),
    ("a file in `inputs`", InputFile),
    ("a value of `truncation` in `result.json`, by split", Truncation),
)
"""The files that are models, and the models in them, in the order of the page."""
IN_TABLES = ("inputs", "shards", "documents")
"""Fields of `Manifest` that stand in tables beside `manifest.json`, and not in it."""


def shard_schema() -> pa.Schema:
    """The schema of a shard, of one that is written for the question."""
    arrays: dict[str, Array] = {
        "input_ids": np.array([2, 5, 3, 6, 3], np.uint16),
        "masked_labels": np.array([5], np.uint16),
        "masked_positions": np.array([1], np.uint16),
        "token_offsets": np.array([0, 5], np.int32),
        "mask_offsets": np.array([0, 1], np.int32),
        "segment_b_start": np.array([3], np.uint16),
        "is_random_next": np.array([False]),
        "document_a": np.array([0], np.uint32),
        "document_b": np.array([0], np.uint32),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = shard_path(Path(folder), "train", 128, 0, 1)
        write_shard(path, Examples(**arrays), {})
        return read_table(path).schema


def page() -> str:
    """The page of all files."""
    meanings = declared(Examples)
    shards = table(
        ("column", "type", "meaning"),
        ((code(field.name), code(str(field.type)), plain(meanings[field.name].meaning)) for field in shard_schema()),
    )
    parts = [
        "# File formats\n\nMade from the code that writes these files. What a folder of shards holds beside them is "
        "described in [Looking at shards](../shards.md).\n\n"
        "## A shard\n\n`SPLIT/LENGTH/part-….arrow`: an Arrow IPC stream with one record batch, a row an example. The "
        "ids are of type uint32 where the vocabulary has more than 65,536 pieces. The schema's metadata carries "
        "`format_version`, `tokenizer_fingerprint`, `configuration` (JSON) and `configuration_hash`.\n\n",
        shards,
        "## Tables of the manifest\n\n",
    ]
    for name, schema in {
        "shards": ShardRecords.schema,
        "length_histograms": HISTOGRAM_SCHEMA,
        "documents": DocumentTableRecords.schema,
        "inputs": InputRecords.schema,
    }.items():
        parts.append(f"### `manifest/{name}.arrow`\n\n")
        parts.append(table(("column", "type"), ((code(field.name), code(str(field.type))) for field in schema)))
    for title, model in MODELS:
        parts += [f"## {title[0].upper()}{title[1:]}\n\n", keys_of(model)]
    return "".join(parts)


def keys_of(model: type[Any]) -> str:
    """The keys of a model or dataclass as a table, after what its docstring says."""
    rows = []
    for name, field in declared(model).items():
        if model is not Manifest or name not in IN_TABLES:
            rows.append((code(name), code(field.type), _when_left_out(model, name), plain(field.meaning)))
    meaning = vars(model).get("__doc__") or ""
    if meaning.startswith(f"{model.__name__}("):  # a dataclass without a docstring gets its signature
        meaning = ""
    return f"{plain(meaning)}\n\n" + table(("key", "type", "left out", "meaning"), rows)


def _when_left_out(model: type[Any], name: str) -> str:
    if not issubclass(model, BaseModel):
        return "always there"
    field = model.model_fields[name]
    return "always there" if field.is_required() else code(_json(field.get_default(call_default_factory=True)))


def _json(value: object) -> str:
    """A default as the file would hold it."""
    return json.dumps(value, default=str)
