"""Who duplicates whom: a table for people, and the report's largest groups."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.documents.near_duplicates.groups import Groups
from preprocessing.documents.near_duplicates.members import NAMES, Members
from preprocessing.documents.near_duplicates.pairs import similarity

_ROWS_AT_A_TIME = 8192
_GROUPS_REPORTED, _DOCUMENTS_REPORTED = 50, 10

GROUPS_SCHEMA = pa.schema(
    [
        ("group", pa.int32()),
        ("kept", pa.bool_()),
        *((name, pa.string()) for name in NAMES),
        ("characters", pa.uint64()),
        ("similarity", pa.float32()),
    ]
)


def write_groups(path: Path, groups: Groups, members: Members) -> None:
    """An Arrow IPC file (Feather for pandas), a row for each document that is in a group, group by group.

    The kept document comes first, the others by length and key; `similarity` is the estimated Jaccard similarity to the
    kept one, 1 for that itself. A group is linked by pairs, so it may be below the threshold. Memory: 8,192 rows and
    their signatures.
    """
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), GROUPS_SCHEMA) as writer:
        for batch in _batches(groups, members):
            writer.write_batch(batch)


def largest_groups(groups: Groups, members: Members) -> list[dict[str, Any]]:
    """Size and `file#locator` of the first documents of the largest groups, equals by key."""
    sizes = np.bincount(groups.group, minlength=1)
    largest = np.argsort(-sizes, kind="stable")[:_GROUPS_REPORTED]
    found = []
    for group in largest[sizes[largest] > 1]:
        rows = np.flatnonzero(groups.group == group)[:_DOCUMENTS_REPORTED]
        names = members.names(groups.places[rows]).to_pylist()
        documents = [f"{name['file']}#{name['locator']}" for name in names]
        found.append({"size": int(sizes[group]), "documents": documents})
    return found


def _batches(groups: Groups, members: Members) -> Iterator[pa.RecordBatch]:
    order = np.lexsort((-groups.characters.astype(np.int64), ~groups.kept, groups.group))
    stays = np.flatnonzero(groups.kept)
    stays = stays[np.argsort(groups.group[stays])]  # by group: the row of the document that stays
    for begin in range(0, len(order), _ROWS_AT_A_TIME):
        rows = order[begin : begin + _ROWS_AT_A_TIME]
        places = groups.places[rows]
        similar = similarity(members, places, groups.places[stays[groups.group[rows]]])
        yield pa.record_batch(
            [
                pa.array(groups.group[rows]),
                pa.array(groups.kept[rows]),
                *(column.combine_chunks() for column in members.names(places).columns),
                pa.array(groups.characters[rows]),
                pa.array(similar.astype(np.float32)),
            ],
            schema=GROUPS_SCHEMA,
        )
