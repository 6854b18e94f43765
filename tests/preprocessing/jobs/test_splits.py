from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.errors import PreprocessingError
from preprocessing.jobs import splits as module
from preprocessing.jobs.splits import count_splits, largest_first, read_split, write_splits
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


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60), st.integers(1, 8))
def test_workers_that_take_turns_get_as_much_but_for_one_split(sizes: list[int], workers: int) -> None:
    splits = [Split("books", "", f"{number}", 0, size) for number, size in enumerate(sizes)]
    dealt = largest_first(splits)
    assert sorted(dealt, key=lambda split: int(split.file)) == splits
    shares = [sum(split.size for split in dealt[worker::workers]) for worker in range(workers)]
    assert max(shares) - min(shares) <= max(sizes)


def test_splits_of_a_size_keep_their_order() -> None:
    splits = [Split("books", "", name, 0, size) for name, size in (("a", 5), ("b", 9), ("c", 5), ("d", 9))]
    assert [split.file for split in largest_first(splits)] == ["b", "d", "a", "c"]
