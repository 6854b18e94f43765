"""The shard format: a folder that `datasets`, `pyarrow` and `pretraining` read, complete or absent.

In: the examples of a bucket as flat arrays (`preprocessing.examples.arrays.Examples`: ids [tokens] uint16, offsets
[rows + 1], masked positions and labels [masks]). Out: `SPLIT/LENGTH/part-….arrow`, `documents/part-….arrow`
(lineage), and, last, `manifest.json` with counts, hashes and what was dropped; a reader gets the same arrays back as
views of the mapped file. Open first: `manifest.py`, then `reader.py`. `report.py` and `thresholds.py` look at a
manifest, `example_text.py` and `example_view.py` at one row.
"""

from preprocessing.shards.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    SPLITS,
    DocumentTableRecord,
    InputRecord,
    Manifest,
    ShardRecord,
    statistics_key,
)
from preprocessing.shards.reader import Shard, ShardSet, read_shard, read_table
from preprocessing.shards.writer import documents_path, shard_path, write_documents, write_shard

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "SPLITS",
    "DocumentTableRecord",
    "InputRecord",
    "Manifest",
    "Shard",
    "ShardRecord",
    "ShardSet",
    "content_check",
    "documents_path",
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
]
