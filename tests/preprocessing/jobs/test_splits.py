from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.jobs import splits as module
from preprocessing.jobs.splits import count_splits, read_split, write_splits
from preprocessing.sources.split import Split


def test_every_split_is_read_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPLITS_A_BATCH", 3)
    splits = [Split("books", f"/{n}", f"b{n}", n, n + 1, more=(Split("books", "/m", "ü", 0, 9),)) for n in range(8)]
    write_splits(tmp_path / "x.arrow", splits)
    assert [read_split(tmp_path / "x.arrow", number) for number in range(8)] == splits
    assert count_splits(tmp_path / "x.arrow") == 8


@pytest.mark.parametrize("content", [None, b"", b"ARROW1\0\0 something else"])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.arrow").write_bytes(content)
    with pytest.raises(PreprocessingError, match=r"x\.arrow is missing or damaged"):
        read_split(tmp_path / "x.arrow", 0)
    with pytest.raises(PreprocessingError, match=r"x\.arrow is missing or damaged"):
        count_splits(tmp_path / "x.arrow")


def test_a_number_beyond_the_end_is_refused(tmp_path: Path) -> None:
    write_splits(tmp_path / "x.arrow", [Split("books", "/1", "b1", 0, 1)])
    for number in (1, 64):
        with pytest.raises(PreprocessingError, match=r"x\.arrow is missing or damaged"):
            read_split(tmp_path / "x.arrow", number)
