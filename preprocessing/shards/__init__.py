"""The shard format: a folder that `datasets`, `pyarrow` and `pretraining` read, complete or absent.

In: the examples of a bucket as flat arrays (`preprocessing.examples.arrays.Examples`: ids [tokens] uint16, offsets
[rows + 1], masked positions and labels [masks]). Out: `SPLIT/LENGTH/part-….arrow`, `documents/part-….arrow`
(lineage), `manifest/….arrow` (every file with its counts and hash), and, last, `manifest.json`; a reader gets the same
arrays back as views of the mapped file. Open first: `manifest.py`, then `reader.py`. A row of the manifest's tables is
in `records.py`; `record_packing.py` makes columns of rows, `record_columns.py` answers from them, `record_tables.py`
writes and maps them. `report.py` and `thresholds.py` look at a manifest, `example_text.py` and `example_view.py` at one
row; `report_page.py` is the report as a page, with `drop_reasons.py` and the rows of `report_rows.py`.
"""

from preprocessing.shards.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    SPLITS,
    Manifest,
    statistics_key,
)
from preprocessing.shards.reader import Shard, ShardSet, read_shard, read_table
from preprocessing.shards.record_columns import DocumentTableRecords, InputRecords, ShardRecords
from preprocessing.shards.record_packing import PackedShards
from preprocessing.shards.record_tables import TABLE_NAMES, TABLES_FOLDER
from preprocessing.shards.records import AnyFile, DocumentTableRecord, FileRecord, InputRecord, ShardRecord
from preprocessing.shards.writer import (
    documents_path,
    duplicates_path,
    shard_path,
    write_documents,
    write_shard,
    write_table,
)

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "SPLITS",
    "TABLES_FOLDER",
    "TABLE_NAMES",
    "AnyFile",
    "DocumentTableRecord",
    "DocumentTableRecords",
    "FileRecord",
    "InputRecord",
    "InputRecords",
    "Manifest",
    "PackedShards",
    "Shard",
    "ShardRecord",
    "ShardRecords",
    "ShardSet",
    "content_check",
    "documents_path",
    "duplicates_path",
    "example_text",
    "example_view",
    "read_shard",
    "read_table",
    "report",
    "shard_path",
    "statistics_key",
    "thresholds",
    "write_documents",
    "write_shard",
    "write_table",
]
