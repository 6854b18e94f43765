import re
from pathlib import Path

import pytest

from preprocessing.documents.near_duplicates.job import (
    LINK_FILES,
    PARTS,
    RANGES,
    NearDuplicateJob,
    batches_of,
    open_link_file,
)
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions
from preprocessing.documents.options import DocumentOptions
from preprocessing.errors import PreprocessingError


def job(splits: int, folder: Path = Path("f")) -> NearDuplicateJob:
    return NearDuplicateJob(folder, "0" * 16, splits, DocumentOptions(), NearDuplicateOptions())


@pytest.mark.parametrize("splits", [1, 2, 127, 128, 129, 373, 1000, 37_000])
def test_splits_are_dealt_evenly_to_parts_of_neighbours(splits: int) -> None:
    made = job(splits)
    assert (made.parts, made.ranges) == (min(PARTS, splits), min(RANGES, splits))
    assert [number for part in range(made.parts) for number in made.splits_in(part)] == list(range(splits))
    counts = [len(made.splits_in(part)) for part in range(made.parts)]
    assert max(counts) - min(counts) <= 1


def test_a_link_file_that_is_missing_or_damaged_is_one_sentence(tmp_path: Path) -> None:
    made = job(3, tmp_path)
    path = made.path("pairs", 2)
    assert re.fullmatch(LINK_FILES, path.name)
    with pytest.raises(PreprocessingError, match=r"pairs-00002-0{16}\.arrow is missing"):
        open_link_file(path)
    path.write_bytes(b"ARROW1 no")
    with pytest.raises(PreprocessingError, match=r"pairs-00002-0{16}\.arrow is damaged .*; remove it and run"):
        list(batches_of(path))
