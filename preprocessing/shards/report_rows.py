"""A few real rows of a build for its report: where they come from, their text, their pieces, and what is masked.

Shards keep no raw text: the text is decoded from the pieces, in the tokenizer's spelling.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from preprocessing.errors import PreprocessingError, printable
from preprocessing.shards.example_text import ExampleText, Mask, read_example
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.reader import Shard, ShardSet
from preprocessing.storage import Location
from preprocessing.tokens.tokenizer import Tokenizer

LOOKED_AT = 256
"""About so many rows of one shard, evenly, among which the shown ones are chosen."""
Kind = Literal["", "special", "as-mask", "as-random", "as-kept"]


@dataclass(frozen=True)
class Piece:
    """A piece of a row: what the model sees, what it has to predict (where it is masked), and which it is."""

    shown: str
    original: str
    kind: Kind
    in_b: bool


@dataclass(frozen=True)
class ShownRow:
    """A row as the page shows it; `text_b` is empty and `source_b` None where a row has no second segment."""

    shard: str
    row: int
    is_random_next: bool
    source_a: str
    source_b: str | None
    text_a: str
    text_b: str
    pieces: tuple[Piece, ...]

    @property
    def masks(self) -> int:
        return sum(piece.kind in ("as-mask", "as-random", "as-kept") for piece in self.pieces)


def shown_rows(folder: Location, manifest: Manifest) -> tuple[ShownRow, ...]:
    """A pair that follows, one that does not, and a row of another source, as far as the first shard has them.

    Of the shortest length; those that have every kind of mask come first. Raises PreprocessingError where the shard,
    its documents or the tokenizer cannot be read.
    """
    records = manifest.records("train", min(manifest.lengths)).with_rows()
    if not len(records):
        return ()
    shards, file = ShardSet(folder, manifest), records.file(0)
    tokenizer = Tokenizer.load(shards.tokenizer_path)
    shard, documents = shards.read(file), shards.documents_of(file)
    examples = [read_example(shard, row, documents, tokenizer) for row in _candidates(shard)]
    return tuple(_shown(example, file.name, tokenizer) for example in _chosen(examples))


def rows_or_reason(folder: Location, manifest: Manifest) -> tuple[tuple[ShownRow, ...], str]:
    """The rows, and why there are none: a report is written without them where only the manifest is there."""
    try:
        return shown_rows(folder, manifest), ""
    except PreprocessingError as error:
        return (), str(error)


def _candidates(shard: Shard) -> range:
    return range(0, shard.rows, max(1, shard.rows // LOOKED_AT))  # a source may have few documents, all of them long


def _chosen(examples: list[ExampleText]) -> Iterator[ExampleText]:
    # Stable: of rows that are as good the first.
    ranked = sorted(examples, key=lambda example: -len(_kinds_of(example.masks)))
    follows = next((example for example in ranked if not example.is_random_next), None)
    random = next((example for example in ranked if example.is_random_next), None)
    found = [example for example in (follows, random) if example is not None]
    yield from found
    sources = {example.document_a["source"] for example in found}
    other = next((example for example in ranked if example.document_a["source"] not in sources), None)
    if other is not None:
        yield other


def _kinds_of(masks: tuple[Mask, ...]) -> set[Kind]:
    return {_kind(mask) for mask in masks}


def _kind(mask: Mask) -> Kind:
    if mask.shown == mask.original:
        return "as-kept"
    return "as-mask" if mask.shown == "[MASK]" else "as-random"


def _shown(example: ExampleText, shard: str, tokenizer: Tokenizer) -> ShownRow:
    second = example.has_second_segment
    return ShownRow(
        shard=shard,
        row=example.row,
        is_random_next=example.is_random_next,
        source_a=_source(example.document_a),
        source_b=_source(example.document_b) if second else None,
        text_a=printable(tokenizer.decode(list(example.segment_a_ids))),
        text_b=printable(tokenizer.decode(list(example.segment_b_ids))) if second else "",
        pieces=tuple(_pieces(example)),
    )


def _source(document: dict[str, object]) -> str:
    title = f" “{document['title']}”" if document["title"] else ""
    return printable(f"{document['source']}, {document['file']}, {document['locator']}{title}")


def _pieces(example: ExampleText) -> Iterator[Piece]:
    masks = {mask.position: mask for mask in example.masks}
    ends = {0, example.segment_b_start - 1, len(example.shown) - 1}
    for position, shown in enumerate(example.shown):
        in_b = position >= example.segment_b_start
        if (mask := masks.get(position)) is not None:
            yield Piece(printable(shown), printable(mask.original), _kind(mask), in_b)
        else:
            yield Piece(printable(shown), printable(shown), "special" if position in ends else "", in_b)
