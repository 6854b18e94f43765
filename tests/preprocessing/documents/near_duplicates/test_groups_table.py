"""Who duplicates whom: every document of a group once, the one that stays first."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from preprocessing.documents.near_duplicates import groups_table
from preprocessing.documents.near_duplicates.groups import find_groups
from preprocessing.documents.near_duplicates.groups_table import GROUPS_SCHEMA, largest_groups, write_groups
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.documents.near_duplicates.members import Members

Link = Callable[..., NearDuplicateJob]


def chain(linked: Link) -> tuple[NearDuplicateJob, list[bytes]]:
    """Three documents, each like the next at 0.75, the ends at 0.5; a pair; and one alone."""
    random = np.random.default_rng(6)
    first, pair, alone = random.integers(0, 2**32, (3, 16), dtype=np.uint32)
    second, third = first.copy(), first.copy()
    second[12:] += 1
    third[8:] += 1
    keys = [bytes([number] * 16) for number in (5, 4, 3, 9, 1, 0)]
    made = linked(np.stack([first, second, third, pair, pair, alone]), keys, [30, 20, 20, 8, 7, 9], 2, threshold=0.7)
    return made, keys


def test_the_table_can_be_read_by_pandas(linked: Link, tmp_path: Path) -> None:
    job, keys = chain(linked)
    members = Members(job)
    write_groups(tmp_path / "groups.arrow", find_groups(job, members), members)
    table = pd.read_feather(tmp_path / "groups.arrow")
    assert list(table.columns) == GROUPS_SCHEMA.names
    assert table["group"].tolist() == [0, 0, 1, 1, 1]  # by smallest key
    assert table["kept"].tolist() == [True, False, True, False, False]
    rows = [keys.index(bytes.fromhex(locator)) for locator in table["locator"]]
    assert rows == [3, 4, 0, 2, 1]
    assert table["similarity"].tolist() == [1, 1, 1, 0.5, 0.75]
    assert table["characters"].tolist() == [8, 7, 30, 20, 20]
    assert set(table["source"]) == {"books"}


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_pieces_of_the_table_add_up(linked: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    job, _ = chain(linked)
    members = Members(job)
    groups = find_groups(job, members)
    write_groups(tmp_path / "whole.arrow", groups, members)
    monkeypatch.setattr(groups_table, "_ROWS_AT_A_TIME", rows)
    write_groups(tmp_path / "pieces.arrow", groups, members)
    whole, pieces = (pa.ipc.open_file(str(tmp_path / f"{name}.arrow")) for name in ("whole", "pieces"))
    assert whole.read_all().equals(pieces.read_all())
    assert pieces.num_record_batches == -(-5 // rows)


def test_the_report_names_the_largest_groups_first(linked: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    job, keys = chain(linked)
    members = Members(job)
    groups = find_groups(job, members)
    found = largest_groups(groups, members)
    assert [group["size"] for group in found] == [3, 2]
    assert found[1]["documents"] == [f"file 1#{keys[4].hex()}", f"file 2#{keys[3].hex()}"]
    monkeypatch.setattr(groups_table, "_GROUPS_REPORTED", 1)
    monkeypatch.setattr(groups_table, "_DOCUMENTS_REPORTED", 2)
    (largest,) = largest_groups(groups, members)
    assert (largest["size"], len(largest["documents"])) == (3, 2)


def test_no_groups_are_an_empty_table(linked: Link, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    job = linked(random.integers(0, 2**32, (4, 16), dtype=np.uint32), [random.bytes(16) for _ in range(4)], [1] * 4, 1)
    members = Members(job)
    groups = find_groups(job, members)
    write_groups(tmp_path / "groups.arrow", groups, members)
    assert len(pd.read_feather(tmp_path / "groups.arrow")) == 0
    assert largest_groups(groups, members) == []
