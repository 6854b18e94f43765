"""The tables beside `manifest.json`: written whole, mapped, and taken for nothing but what the manifest names."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.shards.record_columns import DocumentTableRecords, InputRecords, Records, ShardRecords
from preprocessing.shards.record_packing import HISTOGRAM_SCHEMA, ascend, flat
from preprocessing.shards.records import TableRecord
from preprocessing.shards.writer import write_table
from preprocessing.storage import Location, mapped_source

TABLES_FOLDER = "manifest"
_SCHEMAS = {
    "shards": ShardRecords.schema,
    "length_histograms": HISTOGRAM_SCHEMA,
    "documents": DocumentTableRecords.schema,
    "inputs": InputRecords.schema,
}
TABLE_NAMES = tuple(f"{name}.arrow" for name in _SCHEMAS)


Tables = Mapping[str, TableRecord]


def write_tables(
    folder: Location, shards: ShardRecords, documents: DocumentTableRecords, inputs: InputRecords
) -> dict[str, TableRecord]:
    """Writes the tables of the manifest of `folder`; their records are what `manifest.json` holds of them."""
    contents = {
        "shards": shards.table,
        "length_histograms": shards.histograms,
        "documents": documents.table,
        "inputs": inputs.table,
    }
    records = {}
    for name, table in contents.items():
        place = f"{TABLES_FOLDER}/{name}.arrow"
        sha256, size = write_table(folder / place, table, {})
        records[name] = TableRecord(name=place, rows=table.num_rows, sha256=sha256, bytes=size)
    return records


def open_tables(folder: Location, tables: Tables) -> dict[str, Records[Any]]:
    """The shards, documents and inputs of a manifest, each table read and hashed when it is first asked for.

    PreprocessingError, then, for a table that is missing or not the one that was written; now LookupError or ValueError
    where `tables` are not those of a manifest.
    """
    if tables["shards"].rows != tables["length_histograms"].rows:
        raise ValueError("not as many histograms as shards")
    load = {name: _loader(folder, tables[name], schema) for name, schema in _SCHEMAS.items()}
    return {
        "shards": ShardRecords(load["shards"], load["length_histograms"]),
        "documents": DocumentTableRecords(load["documents"]),
        "inputs": InputRecords(load["inputs"]),
    }


def _loader(folder: Location, record: TableRecord, schema: pa.Schema) -> Callable[[], pa.Table]:
    return lambda: _read(folder / record.name, record, schema)


def _read(path: Location, record: TableRecord, schema: pa.Schema) -> pa.Table:
    """Maps a table whose bytes are those that were written; nothing is copied."""
    what_to_do = "remove manifest.json beside it and run the build again to restore both"
    try:
        with mapped_source(path) as source:
            content = source.read_buffer()
    except FileNotFoundError as error:
        raise PreprocessingError(f"{path} is missing, a part of the manifest; {what_to_do}.") from error
    except OSError as error:
        raise of_system(error, f"{path} cannot be read ({error.strerror or error}); mend that.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != record.sha256:
        raise PreprocessingError(
            f"{path} is not the table that was written: its sha256 is {found[:12]}…, and manifest.json says "
            f"{record.sha256[:12]}…; {what_to_do}."
        )
    try:
        with pa.ipc.open_stream(content) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except pa.ArrowException as error:
        raise PreprocessingError(f"{path} is no table of a manifest; {what_to_do}.") from error
    if not _fits(table, record, schema):
        raise PreprocessingError(f"{path} is no table of this version of the manifest; {what_to_do}.")
    return table


def _fits(table: pa.Table, record: TableRecord, schema: pa.Schema) -> bool:
    """Types, no nulls, no number below zero, and names in their order: what everyone who reads a column relies on."""
    if not table.schema.equals(schema) or table.num_rows != record.rows:
        return False
    for field in schema:
        column = flat(table, field.name)
        if column.null_count:
            return False
        if field.type == pa.int64() and len(column) and column.to_numpy().min() < 0:
            return False
    return "name" not in schema.names or ascend(flat(table, "name"))
