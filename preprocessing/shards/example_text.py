"""One example as a person reads it: its pieces, its masks, its segments as text, and where they came from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preprocessing.errors import PreprocessingError
from preprocessing.shards.reader import Shard, ShardSet
from preprocessing.shards.records import FileRecord
from preprocessing.storage import Location
from preprocessing.tokens.tokenizer import Tokenizer

SPECIAL_AT_START, SPECIAL_AT_END = 1, 1


@dataclass(frozen=True, slots=True)
class Mask:
    """One masked position: what the model sees there and what it has to predict."""

    position: int
    shown: str
    original: str


@dataclass(frozen=True, slots=True)
class ExampleText:
    """A row of a shard with its special tokens; `document_a` and `document_b` are rows of the document table."""

    row: int
    shown: tuple[str, ...]
    """Pieces as the model sees them, masks included."""
    original_ids: tuple[int, ...]
    """Ids before masking."""
    segment_b_start: int
    masks: tuple[Mask, ...]
    is_random_next: bool
    document_a: dict[str, Any]
    document_b: dict[str, Any]

    @property
    def has_second_segment(self) -> bool:
        return self.segment_b_start < len(self.shown)

    @property
    def segment_a_ids(self) -> tuple[int, ...]:
        """Original ids of A without special tokens."""
        return self.original_ids[SPECIAL_AT_START : self.segment_b_start - SPECIAL_AT_END]

    @property
    def segment_b_ids(self) -> tuple[int, ...]:
        """Original ids of B without special tokens; empty without a second segment."""
        return self.original_ids[self.segment_b_start : -SPECIAL_AT_END] if self.has_second_segment else ()


def read_example(shard: Shard, row: int, documents: Any, tokenizer: Tokenizer) -> ExampleText:
    """Row `row` of a shard. `documents` is the document table of its bucket. PreprocessingError for no such row."""
    if not 0 <= row < shard.rows:
        raise PreprocessingError(f"{shard.path} has rows 0 to {shard.rows - 1}, there is no row {row}.")
    start, end = int(shard.token_offsets[row]), int(shard.token_offsets[row + 1])
    mask_start, mask_end = int(shard.mask_offsets[row]), int(shard.mask_offsets[row + 1])
    shown_ids = np.asarray(shard.input_ids[start:end])
    positions = np.asarray(shard.masked_positions[mask_start:mask_end])
    labels = np.asarray(shard.masked_labels[mask_start:mask_end])
    original_ids = shown_ids.copy()
    original_ids[positions] = labels
    shown = tuple(tokenizer.tokens[number] for number in shown_ids.tolist())
    originals = [tokenizer.tokens[number] for number in labels.tolist()]
    return ExampleText(
        row=row,
        shown=shown,
        original_ids=tuple(original_ids.tolist()),
        segment_b_start=int(shard.segment_b_start[row]),
        masks=tuple(
            Mask(position, shown[position], original)
            for position, original in zip(positions.tolist(), originals, strict=True)
        ),
        is_random_next=bool(shard.is_random_next[row]),
        document_a=_document(documents, int(shard.document_a[row])),
        document_b=_document(documents, int(shard.document_b[row])),
    )


def locate_shard(path: Location) -> tuple[ShardSet, FileRecord]:
    """The shard set and the record of a shard by its path, FOLDER/SPLIT/LENGTH/part-….arrow.

    Raises PreprocessingError when the path is not that of a shard of a complete build.
    """
    if len(path.absolute().parts) < 4:
        raise PreprocessingError(f"{path} is not a shard; give FOLDER/train/128/part-….arrow.")
    folder = path.absolute().parents[2]
    if not path.is_file() and not folder.is_dir():
        raise PreprocessingError(f"{path}: there is no such file; give FOLDER/train/128/part-….arrow.")
    shards = ShardSet.open(folder)
    name = "/".join(path.absolute().parts[-3:])
    place = shards.manifest.shards.find(name)
    if place is not None:
        return shards, shards.manifest.shards.file(place)
    raise PreprocessingError(f"{path} is not among the shards of {folder}; its manifest lists those there are.")


def _document(documents: Any, row: int) -> dict[str, Any]:
    return {name: documents.column(name)[row].as_py() for name in documents.column_names}
