"""The full configuration of a build: everything that its bytes depend on, apart from the inputs themselves."""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from preprocessing.build.partitions import Partitions
from preprocessing.documents.identity import source_identity
from preprocessing.documents.options import DocumentOptions
from preprocessing.examples.options import ExampleOptions
from preprocessing.shards import FORMAT_VERSION
from preprocessing.sources.decompression import EXPANSION, PARQUET_EXPANSION
from preprocessing.sources.split import Split
from preprocessing.storage import Location, StorageOptions, current_options
from preprocessing.tokens.word_segmentation import segmenter_identity

# Goes up whenever the same input and options give other bytes, so that an old folder is never taken for a current one.
ALGORITHM_VERSION = 2

# Goes up with every change of the intermediate files, so that a build never goes on from another program's.
INTERMEDIATE_VERSION = 3

# Bytes of clean text for each stored byte, roughly: it only decides how many buckets there are.
_TEXT_SHARE = {"wikipedia": 0.25, "parquet": PARQUET_EXPANSION}


class BuildConfiguration(BaseModel):
    """What a build does. Neither paths nor workers nor the runner are part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: DocumentOptions = DocumentOptions()
    examples: ExampleOptions = ExampleOptions()
    tokenizer_fingerprint: str
    buckets: int

    def to_json(self) -> dict[str, Any]:
        """Plain data, the same on every machine: files that options name are represented by their contents."""
        return self.plain_data

    @functools.cached_property
    def plain_data(self) -> dict[str, Any]:
        """`to_json`, made once: it reads all files that options name, and travels to the workers with the rest."""
        data = self.model_dump(mode="json")
        data["source"] = source_identity(self.source)
        if self.examples.word_segmenter:
            data["word_segmenter"] = segmenter_identity(self.examples.word_segmenter)
        return data | {"format_version": FORMAT_VERSION, "algorithm_version": ALGORITHM_VERSION}

    @property
    def hash(self) -> str:
        """sha256 (hexadecimal) of `to_json`."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Job:
    """What a worker needs to know; travels to every worker."""

    folder: Location
    """The output, as every worker sees it."""
    configuration: BuildConfiguration
    configuration_hash: str
    inputs_hash: str
    """`inputs_hash` of all splits."""
    storage: StorageOptions = field(default_factory=current_options)
    """How remote files are reached."""
    max_bad_share: float | None = None
    """As `BadShareOptions` says; no part of the configuration, as it changes no byte."""

    @property
    def tokenizer_path(self) -> Location:
        return self.folder / "tokenizer"

    @property
    def intermediate(self) -> Location:
        return self.folder / "intermediate"

    @property
    def partitions(self) -> Partitions:
        return Partitions(self.configuration.buckets)

    @property
    def mark(self) -> str:
        """16 hexadecimal digits in the names of intermediate files: of the configuration and of their own layout."""
        return f"{self.configuration_hash[:14]}{INTERMEDIATE_VERSION:02x}"

    @property
    def splits_path(self) -> Location:
        """The file of all splits, which workers read theirs from."""
        return self.intermediate / f"splits-{self.mark}.arrow"

    def split_path(self, split_key: str, suffix: str) -> Location:
        """The intermediate file (`.arrow`) or sidecar (`.json`) of a split."""
        return self.intermediate / f"split-{split_key}-{self.mark}{suffix}"

    def partition_path(self, partition: int, suffix: str) -> Location:
        """The same of a partition."""
        return self.intermediate / f"partition-{partition:05d}-{self.mark}{suffix}"

    def bucket_path(self, bucket: int) -> Location:
        """The sidecar of a bucket: where it lies, the bucket's shards are complete."""
        return self.intermediate / f"bucket-{bucket:05d}-{self.mark}.json"

    def metadata(self) -> dict[str, str]:
        """For the schema of every shard."""
        return {
            "format_version": str(FORMAT_VERSION),
            "tokenizer_fingerprint": self.configuration.tokenizer_fingerprint,
            "configuration": json.dumps(self.configuration.to_json(), sort_keys=True),
            "configuration_hash": self.configuration_hash,
        }


def inputs_hash(splits: Sequence[Split]) -> str:
    """sha256 (hexadecimal) over the keys of all splits."""
    return hashlib.sha256("\n".join(sorted(split.key for split in splits)).encode()).hexdigest()


def count_buckets(splits: list[Split], bucket_bytes: int) -> int:
    """How many buckets of about `bucket_bytes` of clean text the input makes; it depends on the input's size alone."""
    return max(1, -(-int(estimated_text_bytes(splits)) // bucket_bytes))


def estimated_text_bytes(splits: list[Split]) -> float:
    """Bytes of clean text that the splits hold, very roughly, by their size, source and compression."""
    return sum(
        piece.size * _TEXT_SHARE.get(piece.source, 1.0) * EXPANSION.get(piece.compression, 3.0)
        for split in splits
        for piece in split.pieces()
    )


def differences(left: Any, right: Any, name: str = "") -> list[str]:
    """The settings in which two configurations as plain data differ, as "name: left → right"."""
    if isinstance(left, dict) and isinstance(right, dict):
        return [
            line
            for key in sorted({*left, *right})
            for line in differences(left.get(key), right.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if left == right else [f"{name}: {left} → {right}"]
