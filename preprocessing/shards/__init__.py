"""The shard format: writer, reader, manifest, report."""

from preprocessing.shards.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    CorpusStatistics,
    DocumentTableRecord,
    ExampleStatistics,
    InputRecord,
    Manifest,
    ShardRecord,
)
from preprocessing.shards.shard_files import Examples, Shard, ShardSet, read_shard, read_table, write_shard

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "CorpusStatistics",
    "DocumentTableRecord",
    "ExampleStatistics",
    "Examples",
    "InputRecord",
    "Manifest",
    "Shard",
    "ShardRecord",
    "ShardSet",
    "read_shard",
    "read_table",
    "write_shard",
]
