"""Exact duplicates: documents with the same sentences. One of them stays.

The key is of the content, and a document's bucket is chosen by the key, so duplicates meet in one bucket wherever
they come from.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from preprocessing.documents.document import Document


class MeasuredContent(NamedTuple):
    """A document's sentences in numbers."""

    key_high: int
    key_low: int
    text_bytes: int
    """of all sentences in UTF-8"""


def measured_content(document: Document) -> MeasuredContent:
    """The key and the size of a document's content, which is put together once for both.

    Documents with the same key, 128 bits of the sentences, are exact duplicates. xxh3_128 is not made to withstand an
    adversary, who could at most have a document of their own dropped; in return it costs nothing beside tokenising,
    and a chance collision among 10^9 documents has a probability below 10^-20. Raises UnicodeEncodeError for half a
    surrogate pair.
    """
    content = "\n".join(document.sentences).encode()
    key = xxhash.xxh3_128_intdigest(content)
    breaks = max(0, len(document.sentences) - 1)
    return MeasuredContent(key >> 64, key & 0xFFFFFFFFFFFFFFFF, len(content) - breaks)


NAMES = ("source", "file", "locator", "title")


def without_exact_duplicates(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The table of a bucket's documents sorted by key, one row a key; and who duplicates whom.

    Of equal documents the first by source, file and locator stays. The second table has a row for each document that
    has a duplicate, that which stays before the others: `content_key` (32 hexadecimal digits, equal for equal
    documents), `kept`, and the document's names.
    """
    order = pc.sort_indices(
        table, sort_keys=[(name, "ascending") for name in ("key_high", "key_low", "source", "file", "locator")]
    ).to_numpy()
    high, low = (table.column(name).to_numpy()[order] for name in ("key_high", "key_low"))
    first = np.ones(len(order), np.bool_)
    first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    has_duplicate = ~first
    has_duplicate[:-1] |= ~first[1:]  # the first of a run is followed by one that is none
    columns = {
        "content_key": pa.array(
            [f"{a:016x}{b:016x}" for a, b in zip(high[has_duplicate], low[has_duplicate], strict=True)], pa.string()
        ),
        "kept": pa.array(first[has_duplicate]),
    }
    named = table.select(NAMES).take(pa.array(order[has_duplicate]))
    groups = pa.table(columns | {name: named.column(name) for name in NAMES})
    return table.take(pa.array(order[first])).combine_chunks(), groups
