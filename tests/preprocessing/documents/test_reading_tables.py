"""Parquet files and Hugging Face's datasets, from the folder to its documents."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preprocessing.documents.document import Document
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions, RecordOptions
from preprocessing.sources.planning import plan_splits
from tests.preprocessing.documents.rows import TEXT, read, sentences_of


def write_parquet(path: Path, rows: int = 30, group: int = 4) -> Path:
    table = pa.table({"id": range(rows), "text": [TEXT.format(i) for i in range(rows)], "title": ["T"] * rows})
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize(("split_bytes", "splits"), [(1, 8), (1 << 20, 1)])
def test_parquet_by_row_groups(tmp_path: Path, split_bytes: int, splits: int) -> None:
    path = write_parquet(tmp_path / "p.parquet")
    inputs = {"parquet": (str(path),)}
    assert len(plan_splits(InputOptions(**inputs), split_bytes)) == splits
    documents, _ = read(split_bytes, inputs)
    assert [d.locator for d in documents] == [f"row={i}" for i in range(30)]
    assert documents[17] == Document("parquet", "p.parquet", "row=17", "T", sentences_of(17))


def test_parquet_nulls_and_dictionaries(tmp_path: Path) -> None:
    texts = pa.array([TEXT.format(0), None, TEXT.format(2)]).dictionary_encode()
    pq.write_table(pa.table({"text": texts}), tmp_path / "p.parquet")
    documents, tally = read(inputs={"parquet": (str(tmp_path / "p.parquet"),)})
    assert [d.locator for d in documents] == ["row=0", "row=2"]
    assert tally.rejections[0].reason == "null in column 'text'"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("body", "has no column 'body' but 'id', 'text', 'title'; name the one"),
        ("id", "column 'id' holds int64, not text"),
    ],
)
def test_parquet_columns_are_checked(tmp_path: Path, column: str, message: str) -> None:
    path = write_parquet(tmp_path / "p.parquet")
    with pytest.raises(PreprocessingError, match=message):
        read(inputs={"parquet": (str(path),)}, records=RecordOptions(text_field=column))


def test_damaged_parquet_is_one_sentence(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "p.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(PreprocessingError, match=r"^p\.parquet is not a readable Parquet file"):
        read(inputs={"parquet": (str(path),)})
    path.write_bytes(whole[:100] + b"\xff" * 400 + whole[500:])
    with pytest.raises(PreprocessingError, match=r"^p\.parquet is damaged near row 0"):
        read(inputs={"parquet": (str(path),)})


def test_dataset_folder_is_read_by_shards(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for part in range(3):
        rows = "".join(json.dumps({"text": TEXT.format(part * 2 + i)}) + "\n" for i in range(2))
        (folder / f"train-{part}.jsonl").write_text(rows)
    inputs = {"dataset": (str(folder),)}
    splits = plan_splits(InputOptions(**inputs))
    assert len(splits) == 3
    assert len({split.key for split in splits}) == 3
    documents, _ = read(inputs=inputs)
    assert [d.locator for d in documents] == [f"shard={s};row={r}" for s in range(3) for r in range(2)]
    assert documents[3] == Document("huggingface", "corpus/train", "shard=1;row=1", "", sentences_of(3))


def test_dataset_files_and_saved_datasets(tmp_path: Path) -> None:
    import datasets

    path = write_parquet(tmp_path / "p.parquet", rows=3)
    documents, _ = read(inputs={"dataset": (str(path),)})
    assert documents[2] == Document("huggingface", "p.parquet/train", "shard=0;row=2", "T", sentences_of(2))
    saved = tmp_path / "saved"
    datasets.Dataset.from_dict({"text": [TEXT.format(0), None]}).save_to_disk(str(saved))
    documents, tally = read(inputs={"dataset": (str(saved),)})
    assert [d.sentences for d in documents] == [sentences_of(0)]
    assert tally.rejections[0].reason == "null in column 'text'"
    with pytest.raises(PreprocessingError, match="has no column 'body' but 'text'; name the one"):
        read(inputs={"dataset": (str(saved),)}, records=RecordOptions(text_field="body"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ConnectionError("Couldn't reach the Hub\nat all"),
            "the Hugging Face hub cannot be reached (Couldn't reach the Hub)",
        ),
        (ValueError("Unknown split"), "cannot be opened (Unknown split); check its name, configuration and split"),
    ],
)
def test_unreachable_datasets_are_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("datasets.load_dataset_builder", refuse)
    with pytest.raises(PreprocessingError) as caught:
        plan_splits(InputOptions(dataset=("some/corpus:20231101.en",)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
