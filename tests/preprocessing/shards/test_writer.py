"""What the writer says of a file is what lies on disk; a write that fails leaves nothing."""

import hashlib
import resource
from pathlib import Path

import pyarrow as pa
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.shards import write_table

TABLE = pa.table({"ids": pa.array([[1, 2], [], [3]] * 5000, pa.list_(pa.uint16())), "name": ["a", "b", "c"] * 5000})


@pytest.mark.parametrize("table", [TABLE, TABLE.slice(0, 0), TABLE.slice(3, 7), pa.concat_tables([TABLE, TABLE])])
def test_hash_and_size_are_those_of_the_file(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "new" / "table.arrow"
    sha256, size = write_table(path, table, {"b": "2", "a": "1"})
    content = path.read_bytes()
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    with pa.ipc.open_stream(content) as reader:
        assert reader.schema.metadata == {b"a": b"1", b"b": b"2"}
        read = reader.read_all()
    assert read.replace_schema_metadata().equals(table.combine_chunks())
    assert read.column(0).num_chunks <= 1


def test_a_file_that_cannot_be_written_whole_is_a_sentence_and_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "table.arrow"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(PreprocessingError, match=r"Cannot write .*table\.arrow"):
            write_table(path, TABLE, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
